"""Reads many raw values, and says of all that cannot be read which they are and why."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from struct import error as StructError
from typing import Any, TypeVar
from zipfile import BadZipFile

from PIL import Image

from mmfuse.types import Unreadable, UnreadableError

T = TypeVar("T")

# What Pillow, soundfile and numpy raise on files that are broken or of another kind.
CHUNK = 512
BROKEN = (OSError, ValueError, TypeError, SyntaxError, EOFError, RuntimeError, BadZipFile, StructError)


def read_each(read: Callable[[Any], T], raw: Sequence[Any], threads: int = 1, offset: int = 0) -> list[T]:
    """What `read` makes of every value there is (None is not), in order; `UnreadableError` where it fails on some.

    `offset` is the number of the first value, where these are some of many.
    """

    def attempt(numbered: tuple[int, Any]) -> T | Unreadable:
        row, value = numbered
        try:
            return read(value)
        except FileNotFoundError:
            return Unreadable(row, shown(value), "not found", absent=True)
        except (*BROKEN, Image.DecompressionBombError) as error:
            return Unreadable(row, shown(value), str(error).replace(str(value), "it")[:200])

    read_values: list[T | Unreadable] = []
    # Pillow and soundfile let go of the interpreter's lock while they decode.
    with ThreadPoolExecutor(threads) if threads > 1 else nullcontext() as pool:
        for start in range(0, len(raw), CHUNK):  # values that lie on disk are not all held at once
            there = [(offset + start + i, v) for i, v in enumerate(raw[start : start + CHUNK]) if v is not None]
            read_values += pool.map(attempt, there) if pool else map(attempt, there)
    if failures := [value for value in read_values if isinstance(value, Unreadable)]:
        raise UnreadableError(failures)
    return [value for value in read_values if not isinstance(value, Unreadable)]


def shown(value: Any) -> str:
    return str(value) if isinstance(value, Path | str) else "an array"
