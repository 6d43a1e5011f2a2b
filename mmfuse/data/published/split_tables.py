"""Tables that lie split by split beside their media, with or without a header: the way many data sets are published."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.data.cells import empty
from mmfuse.data.inside import inside
from mmfuse.data.published.expected import expect
from mmfuse.data.published.labels import labelled
from mmfuse.data.rows import read_rows
from mmfuse.data.splits import named
from mmfuse.data.table import SPLITS
from mmfuse.data.target_columns import class_name
from mmfuse.errors import ConfigError, DataError, offer
from mmfuse.types import Dataset, Examples

Row = dict[str, Any]
MEDIA = ("image", "audio", "video")


class SplitTables(Dataset):
    def __init__(
        self,
        files: Mapping[str, str],
        modalities: Mapping[str, Mapping[str, Any]],
        tasks: Mapping[str, Mapping[str, Any]],
        root: str | None = None,
        source: str | None = None,
        header: Sequence[str] | None = None,
        folders: Mapping[str, str] | None = None,
        where: Mapping[str, str] | None = None,
        id: str | None = None,
    ):
        """As configs/dataset/split_tables.yaml describes them. Rows may be split and grouped by any column."""
        self.files, self.root, self.source = files, Path(root or ".").expanduser(), source
        self.header, self.folders, self.where, self.id = header, folders or {}, where or {}, id
        self.modalities, self.tasks = modalities, tasks

    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        expect(self.root, self.files.values(), self.source)
        rows = [
            {**row, "split": row.get("split", part), "folder": self.folders.get(part, "")} | {"": (part, number)}
            for part, file in self.files.items()
            for number, row in enumerate(self.rows(self.root / file))
            if all(class_name(row.get(column, "")) == value for column, value in self.where.items())
        ]
        if not rows:
            raise DataError(f"{self.root}: no row is as dataset.where={dict(self.where)} wants it")
        own = None
        if split is not None:
            own = named([cell or "" for cell in self.column(rows, split)], SPLITS, f"column '{split}'")
        elif "all" not in self.files:
            own = named([row[""][0] for row in rows], SPLITS, "dataset.files")
        tasks, targets = {}, {}
        for name, about in self.tasks.items():
            tasks[name], targets[name] = labelled(name, about, self.column(rows, about.get("column") or name), own)
        return Examples(
            raw={name: self.raw(rows, name, about) for name, about in self.modalities.items()},
            columns={name: about.get("column") or about.get("file") or name for name, about in self.modalities.items()},
            targets=targets,
            tasks=tasks,
            ids=[str(i) for i in self.column(rows, self.id)] if self.id else ["-".join(map(str, r[""])) for r in rows],
            split=own,
            groups=np.array([str(cell) for cell in self.column(rows, group)]) if group else None,
        )

    def rows(self, file: Path) -> list[Row]:
        if self.header is None:
            return [{str(k): v for k, v in row.items()} for row in read_rows(file).to_dict("records")]
        try:
            with open(file, encoding="utf-8-sig", newline="") as text:
                lines = json.load(text) if file.suffix == ".json" else [line for line in csv.reader(text) if line]
        except ValueError as error:  # not UTF-8, or not JSON
            raise DataError(f"{file.name}: cannot be read as {file.suffix[1:]} in UTF-8: {error}") from error
        for number, line in enumerate(lines):
            if not isinstance(line, list) or len(line) != len(self.header):
                raise DataError(
                    f"{file.name}, row {number}: {len(self.header)} cells are needed, {', '.join(self.header)},"
                    f" but it is {str(line)[:80]}"
                )
        return [dict(zip(self.header, line, strict=True)) for line in lines]

    def column(self, rows: Sequence[Row], name: str) -> list[Any]:
        """Its cells, None where empty."""
        if not any(name in row for row in rows):
            have = [key for key in rows[0] if key]
            raise DataError(
                f"{next(iter(self.files.values()))} has no column '{name}'\n  {offer(name, have, 'it has')}"
            )
        return [None if empty(row.get(name)) else row[name] for row in rows]

    def raw(self, rows: Sequence[Row], name: str, about: Mapping[str, Any]) -> list[Any]:
        column = str(about.get("column") or name)
        cells = self.column(rows, column) if not about.get("file") else None
        if about["kind"] == "text" and cells is not None:
            return [None if cell is None else str(cell) for cell in cells]
        if about["kind"] not in MEDIA:
            raise ConfigError(
                f"dataset.modalities.{name}.kind={about['kind']}: these tables have text, {', '.join(MEDIA)}"
            )
        if cells is not None:
            return [
                None if cell is None else inside(self.root, str(cell), column, row) for row, cell in enumerate(cells)
            ]
        try:
            return [inside(self.root, about["file"].format_map(cells), name, row) for row, cells in enumerate(rows)]
        except (LookupError, AttributeError, ValueError) as error:
            have = ", ".join(f"{{{key}}}" for key in rows[0] if key)
            raise ConfigError(f"dataset.modalities.{name}.file={about['file']}: {error}\n  to go on: {have}") from error
