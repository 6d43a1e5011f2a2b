"""Whole batches by their rows' numbers: one gather a modality, no row-by-row collation."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mmfuse.data.abreast import abreast
from mmfuse.data.columns import Column, Padded, Stored
from mmfuse.data.order import Order
from mmfuse.ranks import here
from mmfuse.types import Batch, BatchStream, Signal

GATHERED = 1 << 20  # bytes that are gathered at once: for small batches the call costs more than the copy


class Batches(Dataset[Batch]):
    """Indexed by row numbers; goes into a `DataLoader` with `batch_size=None` and `Order` as its sampler."""

    def __init__(self, columns: Mapping[str, Column], targets: Mapping[str, Tensor | Padded]):
        self.columns, self.targets = columns, targets

    def __getitem__(self, rows: Sequence[int] | np.ndarray) -> Batch:
        index = torch.as_tensor(rows, dtype=torch.long)  # (B,)
        return Batch(
            {modality: column.batch(index) for modality, column in self.columns.items()},
            {t: y.index_select(0, index) if isinstance(y, Tensor) else y[index] for t, y in self.targets.items()},
            index,
        )

    @property
    def row_bytes(self) -> int | None:
        """What a row takes, where each takes as much as any other, so that rows can be gathered and parted after."""
        held = [column.rows for column in self.columns.values() if isinstance(column, Stored)]
        even = [rows[:1].nbytes for rows in held if rows is not None]
        known = [target[:1].nbytes for target in self.targets.values() if isinstance(target, Tensor)]
        return sum(even + known) if len(even) + len(known) == len(self.columns) + len(self.targets) else None

    def several(self, each: Sequence[np.ndarray]) -> Iterator[Batch]:
        """A batch for each, of rows that take as much as each other."""
        sizes = [len(rows) for rows in each]
        signals, targets, rows = self[np.concatenate(each)]
        data = {m: (signal.data.split(sizes), signal.mask.split(sizes)) for m, signal in signals.items()}
        told = {t: target.split(sizes) for t, target in targets.items()}
        for k, index in enumerate(rows.split(sizes)):
            batch = {m: Signal(parts[k], masks[k]) for m, (parts, masks) in data.items()}
            yield Batch(batch, {t: parts[k] for t, parts in told.items()}, index)


class Held(DataLoader[Batch]):
    """Batches of rows that are in memory: nothing is left for a loader's workers, queues and collation to do."""

    dataset: Batches

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # torch's own iterator knows workers
        size = self.dataset.row_bytes
        if size is None:
            yield from map(self.dataset.__getitem__, self.sampler)
            return
        waiting: list[np.ndarray] = []
        for rows in self.sampler:
            waiting.append(rows)
            if len(waiting) * len(rows) * size >= GATHERED:
                yield from self.dataset.several(waiting)
                waiting = []
        if waiting:
            yield from self.dataset.several(waiting)


class Streaming(DataLoader[Batch]):
    """Batches that are read as they come. Where an epoch is entered late, what lies before is read and passed over:
    which worker reads what depends on all that was read before."""

    start = 0

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # torch's own iterator type
        start, self.start = self.start, 0
        batches = islice(super().__iter__(), start, None)
        return batches if here().ranks == 1 else abreast(batches)


def enter(rows: DataLoader[Batch], epoch: int, start: int) -> None:
    """The next iteration begins with batch `start` of this epoch."""
    if isinstance(rows.sampler, Order):
        rows.sampler.enter(epoch, start)
    elif isinstance(rows, Streaming) and isinstance(rows.dataset, BatchStream):
        rows.dataset.set_epoch(epoch)
        rows.start = start
