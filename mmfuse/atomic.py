"""Files that are whole or not there: written beside their place under another name, then renamed."""

import errno
import json
import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

BESIDE = re.compile(r"\..+\.\d+")  # as `write` names it
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no room on a disk, or no more of it for a user or a process


def write(path: Path, fill: Callable[[Path], object]) -> None:
    """`fill` writes the file at the path it is given."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fill(beside)
        os.replace(beside, path)
    except Exception as error:
        if (found := full(error)) is not None and found.filename is None:
            found.filename = str(path)
        raise
    finally:
        beside.unlink(missing_ok=True)


def clear(folder: Path, deep: bool = True) -> None:
    """What was beside its place when a process died is removed; nobody else may be writing there."""
    for file in folder.rglob(".*") if deep else folder.glob(".*"):
        if BESIDE.fullmatch(file.name) and file.is_file():
            file.unlink(missing_ok=True)


def full(error: BaseException | None) -> OSError | None:
    """The word of a disk that is full, or a quota that is used up, behind an error."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return error
        error = error.__cause__ or error.__context__
    return None


def write_text(path: Path, text: str) -> None:
    write(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Numbers that are not finite become null: JSON has no word for them."""
    write_text(path, as_json(content))


def as_json(content: Any) -> str:
    return json.dumps(finite(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def finite(content: Any) -> Any:
    """
    >>> finite({"a": [1.0, float("nan")]})
    {'a': [1.0, None]}
    """
    if isinstance(content, dict):
        return {k: finite(v) for k, v in content.items()}
    if isinstance(content, list | tuple):
        return [finite(v) for v in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
