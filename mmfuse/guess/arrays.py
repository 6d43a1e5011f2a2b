"""The arrays in .npy and .npz files: their names, shapes and types, read from their headers alone."""

import zipfile
from io import BufferedIOBase
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

SUFFIXES = (".npy", ".npz")


class Array(NamedTuple):
    file: Path
    key: str  # "" in a .npy
    shape: tuple[int, ...]  # the first is rows
    dtype: np.dtype

    @property
    def kind(self) -> str | None:
        """Of the modality that it may be: a row is a vector, a sequence or a picture. None where it is none."""
        if self.dtype.kind not in "fiub" or 0 in self.shape:
            return None
        picture = self.dtype == np.uint8 and min(self.shape[1:3], default=0) >= 8
        if picture and (len(self.shape) == 3 or (len(self.shape) == 4 and self.shape[3] == 3)):
            return "image"
        return {2: "vector", 3: "sequence"}.get(len(self.shape))

    @property
    def shown(self) -> str:
        return f"{self.dtype} ({', '.join(map(str, self.shape))})"


def headers(file: Path) -> list[Array]:
    """What a file holds; nothing where it cannot be read."""
    try:
        if file.suffix.lower() == ".npy":
            with open(file, "rb") as opened:
                return [Array(file, "", *header(opened))]
        with zipfile.ZipFile(file) as archive:
            found = []
            for name in archive.namelist():
                with archive.open(name) as member:
                    found.append(Array(file, name.removesuffix(".npy"), *header(member)))
            return found
    except (OSError, ValueError, zipfile.BadZipFile):
        return []


def header(file: BufferedIOBase | IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def beside(table: Path) -> list[Array]:
    """All arrays of the files in the table's folder."""
    files = sorted(file for file in table.parent.iterdir() if file.suffix.lower() in SUFFIXES)
    return [array for file in files for array in headers(file)]
