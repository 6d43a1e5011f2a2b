"""What the data were, in one number: equal for equal rows, wherever the files lie."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.data.lazy import Lazy


def of_rows(raw: Mapping[str, Sequence[Any]], targets: Mapping[str, np.ndarray], ids: Sequence[str]) -> str:
    """Of texts, arrays, targets and ids all; of a media file its name and size."""
    digest = hashlib.blake2b(digest_size=16)
    for name, column in raw.items():
        digest.update(name.encode())
        for value in [column.fingerprint] if isinstance(column, Lazy) else column:
            feed(digest, value)
    for name, target in targets.items():
        digest.update(name.encode())
        for part in target if target.dtype.kind == "O" else [target.tobytes()]:
            digest.update(part if isinstance(part, bytes) else b"\0none" if part is None else part.tobytes())
    feed(digest, "\n".join(ids))
    return digest.hexdigest()


def of_numbers(*numbers: Sequence[int] | np.ndarray) -> str:
    """Of the rows of each part of a split.

    >>> of_numbers([0, 1], [2]) == of_numbers([0], [1, 2])
    False
    """
    return hashlib.blake2b(str([[int(n) for n in part] for part in numbers]).encode(), digest_size=16).hexdigest()


def feed(digest: Any, value: Any) -> None:
    if value is None:
        digest.update(b"\0none")
    elif isinstance(value, Path):
        size = value.stat().st_size if value.exists() else -1
        digest.update(f"\0file {value.name} {size}".encode())
    elif isinstance(value, np.ndarray):
        digest.update(f"\0array {value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, tuple):
        for part in value:
            feed(digest, part)
    else:
        digest.update(f"\0text {value}".encode())
