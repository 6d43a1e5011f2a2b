"""Reads many raw values, and says of all that cannot be read which they are and why."""

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from struct import error as StructError
from typing import Any, TypeVar
from zipfile import BadZipFile

from PIL import Image
from torch.utils.data import get_worker_info

from mmfuse.types import Unreadable, UnreadableError

T = TypeVar("T")

# A file by its path or by what it holds; Hugging Face's data sets give {"bytes": ..., "path": ...}, one of them None.
Encoded = Path | bytes | Mapping[str, Any]

CHUNK = 512  # values that are held at a time
# What Pillow, soundfile and numpy raise on files that are broken or of another kind.
BROKEN = (OSError, ValueError, TypeError, SyntaxError, EOFError, RuntimeError, BadZipFile, StructError)


def read_each(read: Callable[[Any], T], raw: Sequence[Any], threads: int = 1, offset: int = 0) -> list[T]:
    """What `read` makes of every value there is (None is not), in order; `UnreadableError` where it fails on some.

    `offset` is the number of the first value, where these are some of many.
    """
    tried = try_each(read, raw, threads, offset)
    refuse(tried)
    return [value for value in tried if value is not None and not isinstance(value, Unreadable)]


def try_each(
    read: Callable[[Any], T], raw: Sequence[Any], threads: int = 1, offset: int = 0
) -> list[T | Unreadable | None]:
    """What `read` makes of every value, or why it can't; None stays None. Values that lie on disk are not all held."""

    def attempt(numbered: tuple[int, Any]) -> T | Unreadable | None:
        row, value = numbered
        if value is None:
            return None
        try:
            return read(value)
        except FileNotFoundError:
            return Unreadable(row, shown(value), "not found", absent=True)
        except (*BROKEN, Image.DecompressionBombError) as error:
            return Unreadable(row, shown(value), reason(error, value))

    if get_worker_info() is not None:  # one of several processes: more threads would wait for each other
        threads = 1
    tried: list[T | Unreadable | None] = []
    # Pillow, soundfile and PyAV let go of the interpreter's lock while they decode.
    with ThreadPoolExecutor(threads) if threads > 1 else nullcontext() as pool:
        for start in range(0, len(raw), CHUNK):
            numbered = enumerate(raw[start : start + CHUNK], start=offset + start)
            tried += pool.map(attempt, numbered) if pool else map(attempt, numbered)
    return tried


def refuse(tried: Sequence[Any]) -> None:
    if failures := [value for value in tried if isinstance(value, Unreadable)]:
        raise UnreadableError(failures)


def source(value: Encoded) -> Path | BytesIO:
    """What a decoder opens."""
    if isinstance(value, Mapping):
        held, path = value.get("bytes"), value.get("path")
        if held is None and path is None:
            raise ValueError("it has neither bytes nor a path")
        value = Path(str(path)) if held is None else held
    return BytesIO(value) if isinstance(value, bytes) else value


def shown(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("path") or value.get("bytes") or "a row of cells"
    if isinstance(value, bytes):
        return f"a file of {len(value)} bytes"
    text = str(value) if isinstance(value, Path | str) else "an array"
    return text.encode(errors="backslashreplace").decode()  # half a surrogate pair could not be printed


def reason(error: Exception, value: Any) -> str:
    """What a library says, without the file's name once more."""
    said = str(error) or type(error).__name__
    if isinstance(value, Path):
        said = said.replace(str(value), "it")
    return re.sub(r"<_io\.BytesIO object at \w+>", "it", said)[:200]
