"""The distinct values among a modality's rows, and numbers that stand for what they hold.

A question that a thousand rows ask is encoded once.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmfuse.data.lazy import Lazy


class Distinct(NamedTuple):
    values: Sequence[Any]  # U of them
    which: np.ndarray  # (N,) the value of each row; U where a row has none
    first: np.ndarray  # (U,) a row that has it
    fingerprint: str  # of all that the values hold, in their order


def distinct(raw: Sequence[Any]) -> Distinct:
    """A file is known by its place, size and time of change; texts and arrays by all that they hold."""
    if isinstance(raw, Lazy):
        there = np.flatnonzero(~raw.missing)
        which = np.full(len(raw), len(there))
        which[there] = np.arange(len(there))
        rows = hashlib.blake2b(np.asarray(raw.rows, np.int64)[there].tobytes(), digest_size=16).hexdigest()
        return Distinct(raw.of(there.tolist()), which, there, f"{raw.fingerprint}-{rows}")
    places: dict[bytes, int] = {}
    known: dict[int, bytes] = {}  # by the identity of an array: many rows may share it
    values: list[Any] = []
    first: list[int] = []
    which = np.empty(len(raw), np.int64)
    for row, value in enumerate(raw):
        if value is None:
            which[row] = -1
            continue
        digest = known.get(id(value)) or digest_of(value)
        if isinstance(value, np.ndarray):
            known[id(value)] = digest
        if digest not in places:
            places[digest] = len(values)
            values.append(value)
            first.append(row)
        which[row] = places[digest]
    order = np.argsort(
        [rough_size(value) for value in values], kind="stable"
    )  # short ones first, so that batches pad little
    place = np.append(np.argsort(order), len(values))  # (U + 1,) where each has gone
    digests = list(places)
    whole = hashlib.blake2b(b"".join(digests[k] for k in order), digest_size=16).hexdigest()
    return Distinct([values[k] for k in order], place[which], np.array(first, np.int64)[order], whole)


def digest_of(value: Any) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    feed(digest, value)
    return digest.digest()


def feed(digest: Any, value: Any) -> None:
    if isinstance(value, Path):
        try:
            told = value.stat()
            digest.update(
                f"\0file {value.resolve()} {told.st_size} {told.st_mtime_ns}".encode(errors="surrogateescape")
            )
        except OSError:
            digest.update(f"\0no file {value.absolute()}".encode(errors="surrogateescape"))
    elif isinstance(value, np.ndarray):
        digest.update(f"\0array {value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, bytes):
        digest.update(b"\0bytes" + value)
    elif isinstance(value, Mapping):
        for name, part in value.items():
            feed(digest, name)
            feed(digest, part)
    elif isinstance(value, tuple | list):
        digest.update(f"\0{len(value)}".encode())
        for part in value:
            feed(digest, part)
    else:
        digest.update(f"\0text {value}".encode(errors="surrogatepass"))


def rough_size(value: Any) -> int:
    """What tells short values from long ones before they are prepared."""
    if isinstance(value, Path):
        return value.stat().st_size if value.exists() else 0
    if isinstance(value, Mapping):
        return rough_size(value.get("bytes") or (Path(str(value["path"])) if value.get("path") else ""))
    if isinstance(value, tuple):
        return max(map(rough_size, value), default=0)
    return value.size if isinstance(value, np.ndarray) else len(value) if hasattr(value, "__len__") else 0
