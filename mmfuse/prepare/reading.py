"""Reads many raw values, and says of all that cannot be read which they are and why."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from struct import error as StructError
from typing import Any, TypeVar
from zipfile import BadZipFile

from PIL import Image

from mmfuse.types import Unreadable, UnreadableError

T = TypeVar("T")

# What Pillow, soundfile and numpy raise on files that are broken or of another kind.
BROKEN = (OSError, ValueError, TypeError, SyntaxError, EOFError, RuntimeError, BadZipFile, StructError)


def read_each(read: Callable[[Any], T], raw: Sequence[Any], threads: int = 1, offset: int = 0) -> list[T]:
    """What `read` makes of every value there is (None is not), in order; `UnreadableError` where it fails on some.

    `offset` is the number of the first value, where these are some of many.
    """

    def attempt(row: int) -> T | Unreadable:
        try:
            return read(raw[row])
        except FileNotFoundError:
            return Unreadable(offset + row, shown(raw[row]), "not found", absent=True)
        except (*BROKEN, Image.DecompressionBombError) as error:
            return Unreadable(offset + row, shown(raw[row]), str(error).replace(str(raw[row]), "it")[:200])

    rows = [row for row, value in enumerate(raw) if value is not None]
    if threads > 1:  # Pillow and soundfile let go of the interpreter's lock while they decode
        with ThreadPoolExecutor(threads) as pool:
            read_values = list(pool.map(attempt, rows))
    else:
        read_values = [attempt(row) for row in rows]
    if failures := [value for value in read_values if isinstance(value, Unreadable)]:
        raise UnreadableError(failures)
    return [value for value in read_values if not isinstance(value, Unreadable)]


def shown(value: Any) -> str:
    return str(value) if isinstance(value, Path | str) else "an array"
