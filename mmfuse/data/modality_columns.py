"""What a table's columns hold of one modality: texts, paths of media, features, cells."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmfuse.data.array_file import rows_of
from mmfuse.data.cells import cells, is_list, numbers
from mmfuse.data.inside import inside
from mmfuse.errors import DataError

MEDIA = ("image", "audio", "video")


class ModalityColumns:
    """Reads modalities out of the rows of a table."""

    def __init__(self, rows: pd.DataFrame, root: Path, media: Path, outside: bool, split_into_words: Sequence[str]):
        """Arrays lie under `root` and media under `media`, or also elsewhere if `outside`."""
        self.rows, self.root, self.media, self.outside = rows, root, media, outside
        self.split_into_words = split_into_words

    def read(self, name: str, about: Mapping[str, Any]) -> Sequence[Any]:
        """(N,) raw values; None where a row lacks the modality."""
        kind, column = about["kind"], str(about.get("column") or name)
        if about.get("file_column"):
            return self.indexed(about["file_column"], about.get("row_column"), about.get("key"))
        if about.get("file"):
            file = self.root / about["file"]
            return rows_of(file, self.aligned(file, about.get("key") or name))
        if kind == "tabular":
            return self.records(about.get("columns") or [column])
        if about.get("columns"):
            return list(np.stack([numbers(self.rows, c) for c in about["columns"]], axis=1))  # (N, D)
        found = cells(self.rows, column)
        if kind == "text":
            words = name in self.split_into_words
            return [None if cell is None else as_words(cell) if words else as_text(cell) for cell in found]
        if kind in MEDIA:
            return [None if cell is None else self.place(str(cell), column, row) for row, cell in enumerate(found)]
        return [
            self.place(cell, column, row) if isinstance(cell, str) and not is_list(cell) else cell
            for row, cell in enumerate(found)
        ]

    def place(self, cell: str, column: str, row: int) -> Path:
        return self.media / cell.strip() if self.outside else inside(self.media, cell, column, row)

    def records(self, columns: Sequence[str]) -> list[dict[str, Any] | None]:
        """A dict of its cells for each row; None where all are empty."""
        found = [cells(self.rows, column) for column in columns]
        return [
            None if all(cell is None for cell in row) else dict(zip(columns, row, strict=True))
            for row in zip(*found, strict=True)
        ]

    def aligned(self, file: Path, key: str) -> np.ndarray:
        """An array of a .npy or .npz file whose first axis is the table's rows; a .npy stays on disk."""
        loaded = load(file, key)
        if len(loaded) != len(self.rows):
            raise DataError(f"{file.name}: '{key}' has {len(loaded)} rows, but the table has {len(self.rows)}")
        return loaded

    def indexed(self, file_column: str, row_column: str | None, key: str | None) -> list[Any]:
        """Rows of the arrays that one column names, by the number that another column gives."""
        files, places = cells(self.rows, file_column), cells(self.rows, row_column or "row")
        arrays: dict[str, np.ndarray] = {}
        found: list[Any] = []
        for row, (file, at) in enumerate(zip(files, places, strict=True)):
            if file is None or at is None:
                found.append(None)
                continue
            if file not in arrays:
                arrays[file] = load(self.place(file, file_column, row), key)
            array = arrays[file]
            if not str(at).strip().isdigit() or int(at) >= len(array):
                raise DataError(
                    f"column '{row_column}', row {row}: '{at}' is no row of {file}, which has {len(array)} of them"
                )
            found.append(array[int(at)])
        return found


def load(file: Path, key: str | None) -> np.ndarray:
    if not file.exists():
        raise DataError(f"{file}: not found\n  to go on: dataset.root=DIR, the folder that holds it")
    try:
        loaded = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError) as error:
        raise DataError(f"{file}: cannot be read as .npy or .npz: {error}") from error
    if isinstance(loaded, np.ndarray):
        return loaded
    key = loaded.files[0] if key is None and len(loaded.files) == 1 else key
    if key not in loaded.files:
        raise DataError(f"{file.name} has no array '{key}'\n  it has: {', '.join(loaded.files)}; key: NAME says which")
    return loaded[key]


def as_text(cell: Any) -> str:
    return " ".join(map(str, cell)) if isinstance(cell, list | np.ndarray) else str(cell)


def as_words(cell: Any) -> list[str]:
    """
    >>> as_words("New York  calls"), as_words('["New York", "calls"]'), as_words(["a", "b"])
    (['New', 'York', 'calls'], ['New York', 'calls'], ['a', 'b'])
    """
    if isinstance(cell, str) and is_list(cell):
        try:
            cell = json.loads(cell)
        except ValueError:
            return cell.split()
    return cell.split() if isinstance(cell, str) else [str(word) for word in cell]
