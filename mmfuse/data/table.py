"""A table on disk: a row an example, a column a modality or a target. CSV, TSV, JSONL or Parquet.

An empty cell or a null is a missing modality, or a missing label. Everything else has to be what its column says.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.data.cells import cells
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
    ):
        """`modalities` and `tasks` as configs/dataset/table.yaml describes them; paths as it says, too."""
        self.root = Path(root or ".").expanduser()
        self.file = self.root / Path(file).expanduser()
        self.media = Path(media_root).expanduser() if media_root else self.file.parent
        self.modalities, self.tasks, self.id = modalities, tasks, id
        self.encoding, self.outside = encoding, outside

    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        rows = read_rows(self.file, self.encoding)
        tasks, targets = {}, {}
        for name, about in self.tasks.items():
            tasks[name], targets[name] = target(rows, name, about)
        labelled = [task.of for task in tasks.values() if task.of is not None]
        modalities = ModalityColumns(rows, self.root, self.media, self.outside, split_into_words=labelled)
        return Examples(
            raw={name: modalities.read(name, about) for name, about in self.modalities.items()},
            columns={name: source(name, about) for name, about in self.modalities.items()},
            targets=targets,
            tasks=tasks,
            ids=[str(v) for v in cells(rows, self.id)] if self.id else [str(row) for row in range(len(rows))],
            split=named([v or "" for v in cells(rows, split)], SPLITS, f"column '{split}'") if split else None,
            groups=np.array([str(v) for v in cells(rows, group)]) if group else None,
        )


def source(name: str, about: Mapping[str, Any]) -> str:
    """What a modality is called in its source."""
    columns = about.get("columns")
    return ", ".join(columns) if columns else str(about.get("column") or about.get("key") or name)
