"""What the cells of rows from shards are to the modalities and the tasks, as with a table."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmfuse.data.inside import inside
from mmfuse.data.modality_columns import MEDIA, ModalityColumns
from mmfuse.data.shards_files import Row
from mmfuse.data.target_columns import target
from mmfuse.errors import DataError
from mmfuse.types import Task


class ShardCells:
    def __init__(
        self,
        modalities: Mapping[str, Mapping[str, Any]],
        tasks: Mapping[str, Mapping[str, Any]],
        root: Path,
        names: Sequence[str],
    ):
        """`root` is where files lie that cells name, `names` what the shards are called."""
        self.modalities, self.tasks, self.root, self.names = modalities, tasks, root, names

    def columns(self) -> list[str]:
        """All that is read."""
        return [column for name, about in self.modalities.items() for column in read_by(name, about)] + [
            str(about.get("column") or name)
            for name, about in self.tasks.items()
            if about.get("column") or about["kind"] != "pairs"
        ]

    def raw(self, rows: Sequence[Row]) -> dict[str, list[Any]]:
        """By modality: (N,) raw values, None where a row lacks it."""
        words = [str(about["of"]) for about in self.tasks.values() if about.get("of")]
        found = {}
        with self.locating(rows):
            for name, about in self.modalities.items():
                columns = read_by(name, about)
                if about["kind"] in MEDIA:
                    found[name] = [self.media(row.cells[columns[0]], columns[0], at) for at, row in enumerate(rows)]
                else:
                    beside = ModalityColumns(frame(rows, columns), self.root, self.root, False, words)
                    values = beside.read(name, about)
                    found[name] = [array(value) if isinstance(value, list) else value for value in values]
        return found

    def media(self, value: Any, column: str, at: int) -> Any:
        """Encoded bytes, an array as nested lists, or the path of a file."""
        if isinstance(value, Mapping):
            value = value.get("bytes") or value.get("path")
        return inside(self.root, value, column, at) if isinstance(value, str) else value

    def targets(self, rows: Sequence[Row]) -> dict[str, tuple[Task, np.ndarray]]:
        """By task: what it is, and what is to be learned of each row."""
        found = {}
        with self.locating(rows):
            for name, about in self.tasks.items():
                column = str(about.get("column") or name)
                found[name] = target(frame(rows, [column] if column in self.columns() else []), name, about)
        return found

    @contextmanager
    def locating(self, rows: Sequence[Row]) -> Iterator[None]:
        """Errors that number a row among these name its shard and the row there."""

        def place(match: re.Match[str]) -> str:
            row = rows[int(match[1])]
            return f", row {row.at} of {self.names[row.shard]}: "

        try:
            yield
        except DataError as error:
            raise DataError(re.sub(r", row (\d+): ", place, str(error), count=1)) from error


def read_by(name: str, about: Mapping[str, Any]) -> list[str]:
    """The columns that a modality is read from."""
    return [str(column) for column in about.get("columns") or [about.get("column") or name]]


def frame(rows: Sequence[Row], columns: Sequence[str]) -> pd.DataFrame:
    cells = {c: pd.Series([plain(row.cells[c], c, at) for at, row in enumerate(rows)], dtype=object) for c in columns}
    return pd.DataFrame(cells, index=range(len(rows)))


def plain(cell: Any, column: str, at: int) -> Any:
    """A cell; bytes, which archives give of extensions that mean nothing to the library, are text in UTF-8."""
    try:
        return cell.decode() if isinstance(cell, bytes) else cell
    except UnicodeDecodeError as error:
        raise DataError(f"column '{column}', row {at}: not UTF-8: {error.reason} at byte {error.start}") from error


def array(value: list[Any]) -> np.ndarray | list[Any]:
    """Numbers as one array: (D,) or (T, D). Words, and steps of unequal width, stay as they are."""
    try:
        return np.asarray(value, np.float32)
    except (ValueError, TypeError):
        return value
