"""A table on disk: a row an example, a column a modality or a target. CSV, TSV, JSONL or Parquet.

An empty cell or a null is a missing modality, or a missing label. Everything else has to be what its column says.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmfuse.data.cells import cells
from mmfuse.data.joined_rows import joined, refuse_other_kinds
from mmfuse.data.modality_columns import ModalityColumns
from mmfuse.data.rows import read_rows
from mmfuse.data.splits import named
from mmfuse.data.target_columns import target
from mmfuse.types import Dataset, Examples

SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
    "": "",
}


class Table(Dataset):
    def __init__(
        self,
        file: str,
        modalities: Mapping[str, Mapping[str, Any]],
        tasks: Mapping[str, Mapping[str, Any]],
        root: str | None = None,
        media_root: str | None = None,
        id: str | None = None,
        encoding: str = "utf-8",
        outside: bool = False,
        by: str | None = None,
    ):
        """`modalities` and `tasks` as configs/dataset/table.yaml describes them; paths and `by` as it says, too."""
        if by is not None:
            refuse_other_kinds(modalities, tasks)
        self.root = Path(root or ".").expanduser()
        self.file = self.root / Path(file).expanduser()
        self.media = Path(media_root).expanduser() if media_root else self.file.parent
        self.modalities, self.tasks, self.id = modalities, tasks, id
        self.encoding, self.outside, self.by = encoding, outside, by

    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        rows = read_rows(self.file, self.encoding)
        tasks, targets = {}, {}
        for name, about in self.tasks.items():
            own = dict(about) if self.by is None else {**about, "kind": "multiclass"}  # of a row, which is to be a step
            tasks[name], targets[name] = target(rows, name, own)
        examples = Examples(
            raw=self.raw(rows, self.modalities),
            columns={name: source(name, about) for name, about in self.modalities.items()},
            targets=targets,
            tasks=tasks,
            ids=[str(v) for v in cells(rows, self.id)] if self.id else [str(row) for row in range(len(rows))],
            split=named([v or "" for v in cells(rows, split)], SPLITS, f"column '{split}'") if split else None,
            groups=np.array([str(v) for v in cells(rows, group)]) if group else None,
            extras=self.extras(rows, {split, group, self.id}),
        )
        return self.by_cell(examples, rows)

    def by_cell(self, examples: Examples, rows: pd.DataFrame) -> Examples:
        if self.by is None:
            return examples
        of = next((about["of"] for about in self.tasks.values() if about.get("of")), next(iter(self.modalities)))
        return joined(examples, cells(rows, self.by), self.by, of)

    def raw(self, rows: pd.DataFrame, modalities: Mapping[str, Mapping[str, Any]]) -> dict[str, Sequence[Any]]:
        labelled = [str(about["of"]) for about in self.tasks.values() if about["kind"] == "tokens" and about.get("of")]
        columns = ModalityColumns(rows, self.root, self.media, self.outside, split_into_words=labelled)
        return {name: columns.read(name, about) for name, about in modalities.items()}

    def unlabelled(self) -> Examples:
        """Rows without targets. A modality none of whose columns is there is missing; rows without ids are numbered."""
        rows = read_rows(self.file, self.encoding)
        there = {name: about for name, about in self.modalities.items() if self.tells(rows, name, about)}
        found = self.raw(rows, there)
        named = self.id is not None and self.id in rows
        examples = Examples(
            raw={name: found.get(name, [None] * len(rows)) for name in self.modalities},
            columns={name: source(name, about) for name, about in self.modalities.items()},
            targets={},
            tasks={},
            ids=[str(v) for v in cells(rows, self.id)] if self.id and named else [str(row) for row in range(len(rows))],
            extras=self.extras(rows, {self.id}),
        )
        return self.by_cell(examples, rows)

    def tells(self, rows: pd.DataFrame, name: str, about: Mapping[str, Any]) -> bool:
        """Whether there is anything to read a modality from."""
        if about.get("file"):
            return (self.root / about["file"]).exists()
        return any(column in rows for column in of_table(name, about))

    def extras(self, rows: pd.DataFrame, named: Collection[str | None]) -> dict[str, list[Any]]:
        """By column: the cells that are neither a modality, a target nor named for another purpose."""
        entries = (*self.modalities.items(), *self.tasks.items())
        used = {column for name, about in entries for column in of_table(name, about)}
        return {str(c): cells(rows, c) for c in rows.columns if c not in used and c not in named}


def of_table(name: str, about: Mapping[str, Any]) -> list[str]:
    """The columns that an entry reads."""
    if about.get("file"):
        return []
    if about.get("file_column"):
        return [about["file_column"], about.get("row_column") or "row"]
    return list(about.get("columns") or [about.get("column") or name])


def source(name: str, about: Mapping[str, Any]) -> str:
    """What a modality is called in its source."""
    return str(about["key"]) if about.get("key") else ", ".join(of_table(name, about)) or name
