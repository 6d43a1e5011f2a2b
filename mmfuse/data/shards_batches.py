"""Batches out of shards: read, prepared and padded by the loader's workers, each of which has shards of its own."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from mmfuse.data.align import check_labels
from mmfuse.data.columns import Padded, Stored
from mmfuse.data.shards_cells import ShardCells
from mmfuse.data.shards_files import Row
from mmfuse.data.shards_order import Place, ShardOrder
from mmfuse.errors import ConfigError, DataError
from mmfuse.types import Batch, BatchStream, Preparation, Ragged, Signal, UnreadableError


class ShardBatches(IterableDataset[Batch], BatchStream):
    """Goes into a `DataLoader` with `batch_size=None`, or into torchdata's `StatefulDataLoader`, which keeps its state.

    The state is the epoch and how many of its rows this worker has given: the rest of the epoch follows from these.
    """

    def __init__(
        self,
        order: ShardOrder,
        cells: ShardCells,
        preparations: Mapping[str, Preparation],
        batch_size: int,
        forgiving: bool,
        rank: int = 0,
        ranks: int = 1,
    ):
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size}: at least 1 is needed")
        if len(order.files) < ranks:
            raise ConfigError(
                f"{len(order.files)} training shards are fewer than the {ranks} processes that train, and each needs"
                " one of its own\n  to go on: more shards, or fewer processes"
            )
        self.order, self.cells, self.preparations = order, cells, preparations
        self.batch_size, self.forgiving = batch_size, forgiving
        self.place = Place(rank, ranks)
        self.epoch = self.seen = self.start = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def steps(self, workers: int) -> int | None:
        places = [self.place._replace(worker=w, workers=max(1, workers)) for w in range(max(1, workers))]
        counts = [self.order.count(0, place) for place in places]
        known = [-(-count // self.batch_size) for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.epoch, "seen": self.seen}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.epoch, self.start = state["epoch"], state["seen"]

    def __iter__(self) -> Iterator[Batch]:
        self.seen, self.start = self.start, 0
        about = get_worker_info()
        place = self.place if about is None else self.place._replace(worker=about.id, workers=about.num_workers)
        lying = self.order.rows(self.epoch, place, self.seen)
        while rows := list(islice(lying, self.batch_size)):
            self.seen += len(rows)
            yield self.batch(rows)

    def batch(self, rows: Sequence[Row]) -> Batch:
        raw, index = self.cells.raw(rows), torch.arange(len(rows))  # (B,)
        columns = {m: Stored(self.prepared(m, raw[m], rows)) for m in self.preparations}
        signals: dict[str, Signal] = {m: column.batch(index) for m, column in columns.items()}
        targets: dict[str, Tensor] = {}
        for name, (task, target) in self.cells.targets(rows).items():
            if task.of is not None:
                with self.cells.locating(rows):
                    check_labels(target, columns[task.of], name, task.of)
            targets[name] = Padded(target)[index] if target.dtype.kind == "O" else torch.from_numpy(target)
        return Batch(signals, targets, torch.tensor([row.number for row in rows]))

    def prepared(self, modality: str, values: Sequence[Any], rows: Sequence[Row]) -> Ragged:
        """What cannot be read is missing, or an error that names its shard and row."""
        try:
            return self.preparations[modality](values)
        except UnreadableError as error:
            broken = [failure for failure in error.failures if not failure.absent]
            if broken and not self.forgiving:
                row = rows[broken[0].row]
                column = self.cells.modalities[modality].get("column") or modality
                raise DataError(
                    f"a value in column '{column}' (modality '{modality}') cannot be read: {broken[0].value}"
                    f" (row {row.at} of {self.cells.names[row.shard]}): {broken[0].reason}\n"
                    "  to go on: mend it, or dataset.missing.unreadable=missing"
                ) from error
            lost = {failure.row for failure in error.failures}
            return self.prepared(modality, [None if i in lost else v for i, v in enumerate(values)], rows)
