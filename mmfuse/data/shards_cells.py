"""What the cells of rows from shards are to the modalities and the tasks, as with a table."""

from collections.abc import Mapping, Sequence
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
        for name, about in self.modalities.items():
            columns = read_by(name, about)
            if about["kind"] in MEDIA:
                found[name] = [self.media(row, columns[0]) for row in rows]
            else:
                beside = ModalityColumns(self.frame(rows, columns), self.root, self.root, False, words)
                found[name] = [array(value) if isinstance(value, list) else value for value in beside.read(name, about)]
        return found

    def media(self, row: Row, column: str) -> Any:
        """Encoded bytes, an array as nested lists, or the path of a file."""
        value = row.cells[column]
        if isinstance(value, Mapping):
            value = value.get("bytes") or value.get("path")
        return inside(self.root, value, column, row.at) if isinstance(value, str) else value

    def frame(self, rows: Sequence[Row], columns: Sequence[str]) -> pd.DataFrame:
        cells = {c: pd.Series([self.plain(row, c) for row in rows], dtype=object) for c in columns}
        return pd.DataFrame(cells, index=range(len(rows)))

    def plain(self, row: Row, column: str) -> Any:
        """A cell; bytes, which archives give of extensions that mean nothing to the library, are text in UTF-8."""
        cell = row.cells[column]
        try:
            return cell.decode() if isinstance(cell, bytes) else cell
        except UnicodeDecodeError as error:
            said = f"column '{column}', row {row.at} of {self.names[row.shard]}: it is no text in UTF-8"
            raise DataError(f"{said}, but {error.reason} at byte {error.start}") from error

    def targets(self, rows: Sequence[Row]) -> dict[str, tuple[Task, np.ndarray]]:
        """By task: what it is, and what is to be learned of each row. Errors name the shard and its row."""
        try:
            return {name: self.target(rows, name) for name in self.tasks}
        except DataError:
            for row in rows:
                self.blamed(row)
            raise

    def target(self, rows: Sequence[Row], name: str) -> tuple[Task, np.ndarray]:
        about = self.tasks[name]
        column = str(about.get("column") or name)
        return target(self.frame(rows, [column] if rows and column in rows[0].cells else []), name, about)

    def blamed(self, row: Row) -> None:
        """The error of this row, if it has one by itself."""
        for name, about in self.tasks.items():
            try:
                self.target([row], name)
            except DataError as error:
                if ", row 0: " in str(error):  # an error of the whole column, such as too few classes, names no row
                    there = f", row {row.at} of {self.names[row.shard]}: "
                    raise DataError(str(error).replace(", row 0: ", there, 1)) from error


def read_by(name: str, about: Mapping[str, Any]) -> list[str]:
    """The columns that a modality is read from."""
    return [str(column) for column in about.get("columns") or [about.get("column") or name]]


def array(value: list[Any]) -> np.ndarray | list[Any]:
    """Numbers as one array: (D,) or (T, D). Words, and steps of unequal width, stay as they are."""
    try:
        return np.asarray(value, np.float32)
    except (ValueError, TypeError):
        return value
