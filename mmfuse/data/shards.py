"""A data set larger than memory: sharded Parquet or WebDataset archives, read as streams.

Only training rows stream, anew each epoch. Validation and test rows are held, and so are the first rows of the training
shards, which the preparations are fitted on. Hugging Face's `datasets` reads; the order and the way back into an epoch
are ours (mmfuse/data/shards_order.py says why). Needs the extra `hf`.
"""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.data.cells import cells as cells_of
from mmfuse.data.lazy import Lazy
from mmfuse.data.modality_columns import MEDIA
from mmfuse.data.shards_batches import ShardBatches
from mmfuse.data.shards_cells import ShardCells, frame
from mmfuse.data.shards_files import Row, ShardFiles, found
from mmfuse.data.shards_order import ShardOrder
from mmfuse.data.table import SPLITS, source
from mmfuse.errors import ConfigError
from mmfuse.types import BatchStream, Dataset, Examples, Preparation, Stream, Task

SPREAD = 16  # shards that the rows to fit on are taken from, if these have enough


class Shards(Dataset):
    def __init__(
        self,
        path: str,
        modalities: Mapping[str, Mapping[str, Any]],
        tasks: Mapping[str, Mapping[str, Any]],
        files: Mapping[str, str] | None = None,
        buffer: int = 1000,
        fit_rows: int = 10000,
        id: str | None = None,
    ):
        """`files` is a pattern by split; the rest as configs/dataset/shards.yaml says."""
        if min(buffer, fit_rows) < 1:
            raise ValueError(f"buffer={buffer}, fit_rows={fit_rows}: at least 1 row each is needed")
        for name, about in modalities.items():
            if about.get("file") or about.get("file_column"):
                raise ValueError(f"modalities.{name}: shards hold their values themselves, and no other file's rows")
        self.root, self.modalities, self.tasks, self.id = Path(path).expanduser(), modalities, tasks, id
        self.files, self.buffer, self.fit_rows = files, buffer, fit_rows

    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        if split is not None:
            raise ConfigError(
                f"dataset.split.column={split}: shards are split by their files"
                "\n  to go on: 'dataset.files={train: ..., val: ..., test: ...}'"
            )
        lying = found(self.root, self.files, SPLITS)
        beside = [column for column in (self.id, group) if column]
        columns = [*ShardCells(self.modalities, self.tasks, self.root, []).columns(), *beside]
        parts = {name: ShardFiles(shards, columns) for name, shards in lying.items()}
        held = {"train": first(parts["train"], self.fit_rows)}
        held |= {name: first(parts[name], None) for name in ("val", "test")}
        names = [os.path.relpath(shard, self.root) for shards in lying.values() for shard in shards]
        rows, offset = list[Row](), 0
        for name, shards in parts.items():
            rows += [row._replace(shard=row.shard + offset) for row in held[name]]
            offset += len(shards)
        about = {name: {**entry, **self.classes(parts["train"], name)} for name, entry in self.tasks.items()}
        cells = ShardCells(self.modalities, about, self.root, names)
        read = cells.targets(rows)
        about = {name: {**about[name], **named(task)} for name, (task, _) in read.items()}
        streamed = ShardCells(self.modalities, about, self.root, names)
        fingerprint = " ".join(shards.fingerprint for shards in parts.values())
        others = frame(rows, beside)
        ids = cells_of(others, self.id) if self.id else [f"{names[row.shard]}:{row.at}" for row in rows]
        return Examples(
            raw={m: self.held(m, values, fingerprint) for m, values in cells.raw(rows).items()},
            columns={name: source(name, entry) for name, entry in self.modalities.items()},
            targets={name: target for name, (_, target) in read.items()},
            tasks={name: task for name, (task, _) in read.items()},
            ids=[str(name) for name in ids],
            split=np.repeat(list(held), [len(part) for part in held.values()]),
            groups=np.array([str(v) for v in cells_of(others, group)]) if group else None,
            stream=ShardStream(parts["train"], streamed, self.buffer, len(held["train"])),
        )

    def classes(self, shards: ShardFiles, name: str) -> dict[str, Any]:
        """Those that the config names, else those of a column of class labels; else they are found among the rows."""
        about = self.tasks[name]
        listed = about.get("classes") or shards.classes.get(str(about.get("column") or name))
        return {"classes": list(listed)} if listed else {}

    def held(self, modality: str, values: Sequence[Any], fingerprint: str) -> Sequence[Any]:
        """Encoded media are decoded as they are needed, if memory does not hold them decoded."""
        if self.modalities[modality]["kind"] not in MEDIA:
            return values
        missing = np.array([value is None for value in values], dtype=bool)
        said = f"{fingerprint} {source(modality, self.modalities[modality])}"
        return Lazy(partial(picked, values), range(len(values)), said, missing)


class ShardStream(Stream):
    def __init__(self, files: ShardFiles, cells: ShardCells, buffer: int, fitted: int):
        """`fitted` rows are those that the preparations know."""
        self.files, self.cells, self.buffer, self.fitted = files, cells, buffer, fitted
        self.rows = files.rows

    def facts(self) -> dict[str, Any]:
        return {
            "shards": len(self.files),
            "rows": self.rows,
            "fitted_on": self.fitted,
            "fingerprint": self.files.fingerprint,
        }

    def batches(
        self,
        preparations: Mapping[str, Preparation],
        batch_size: int,
        seed: int,
        forgiving: bool,
        rank: int = 0,
        ranks: int = 1,
    ) -> BatchStream:
        order = ShardOrder(self.files, self.buffer, seed)
        return ShardBatches(order, self.cells, preparations, batch_size, forgiving, rank, ranks)


def first(files: ShardFiles, most: int | None) -> list[Row]:
    """All rows, or so many: the first ones of some shards far from each other, as neighbours are often alike."""
    if most is None:
        return [row for shard in range(len(files)) for row in files.read(shard)]
    rows: list[Row] = []
    apart = max(1, len(files) // SPREAD)
    for shard in sorted(range(len(files)), key=lambda shard: (shard % apart, shard)):
        share = -(-most // min(SPREAD, len(files)))
        rows += islice(files.read(shard), min(share, most - len(rows)))
        if len(rows) == most:
            break
    return rows


def named(task: Task) -> dict[str, Any]:
    """The classes that a task has, as its config would name them."""
    classes = getattr(task, "classes", None)
    return {"classes": list(classes)} if classes else {}


def picked(values: Sequence[Any], rows: Sequence[int]) -> list[Any]:
    return [values[row] for row in rows]
