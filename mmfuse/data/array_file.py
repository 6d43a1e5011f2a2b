"""The rows of a large .npy file, read when they are asked for. Not mapped: mapped pages count as the process's own."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.data.lazy import Lazy

LARGE = 1 << 26  # bytes; a smaller file costs nothing to speak of
BLOCK = 1 << 22  # bytes that are hashed at a time


class ArrayFile:
    def __init__(self, file: Path, mapped: np.memmap):
        """`mapped` is the same file as numpy maps it, in C order; only what its header says is taken."""
        self.file, self.dtype, self.shape, self.offset = file, mapped.dtype, mapped.shape[1:], mapped.offset
        self.row_bytes = mapped.dtype.itemsize * int(np.prod(self.shape))

    def read(self, wanted: Sequence[int]) -> list[np.ndarray]:
        """An array for each row; rows that follow each other are read at one go."""
        rows = np.asarray(wanted, dtype=np.int64)
        found = np.empty((len(rows), *self.shape), self.dtype)
        parts = np.split(np.arange(len(rows)), np.flatnonzero(np.diff(rows) != 1) + 1)
        descriptor = os.open(self.file, os.O_RDONLY)
        try:
            for part in filter(len, parts):
                self.fill(descriptor, found[part[0] : part[-1] + 1], self.offset + int(rows[part[0]]) * self.row_bytes)
        finally:
            os.close(descriptor)
        return list(found)

    def fill(self, descriptor: int, into: np.ndarray, offset: int) -> None:
        held = memoryview(into.reshape(-1).view(np.uint8).data)
        while len(held):
            taken = os.preadv(descriptor, [held], offset)
            if not taken:
                raise OSError(f"{self.file}: it ends at byte {offset}, before the rows that its header names")
            held, offset = held[taken:], offset + taken

    def digest(self) -> str:
        """Of all that is in the file."""
        digest = hashlib.blake2b(digest_size=16)
        with open(self.file, "rb", buffering=0) as opened:
            while block := opened.read(BLOCK):
                digest.update(block)
        return digest.hexdigest()


def rows_of(file: Path, loaded: np.ndarray) -> Sequence[Any]:
    """The rows of an array: from its file, where that is large and holds them one after another."""
    if isinstance(loaded, np.memmap) and loaded.nbytes >= LARGE and loaded.flags.c_contiguous and loaded.ndim > 1:
        there = ArrayFile(file, loaded)
        return Lazy(there.read, range(len(loaded)), there.digest, np.zeros(len(loaded), dtype=bool))
    return list(loaded)
