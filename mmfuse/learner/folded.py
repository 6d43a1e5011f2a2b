"""Batches of several runs as one, (K, B, ...), and one run's of them."""

from torch import Tensor

from mmfuse.data.batches import Batches
from mmfuse.data.columns import Stored
from mmfuse.types import Batch, Signal


def folded(batch: Batch, lanes: int) -> Batch:
    """(K B, ...) -> (K, B, ...)"""

    def fold(tensor: Tensor) -> Tensor:
        return tensor.unflatten(0, (lanes, -1))

    signals = {m: Signal(fold(s.data), fold(s.mask)) for m, s in batch.signals.items()}
    return Batch(signals, {t: fold(target) for t, target in batch.targets.items()}, fold(batch.rows))


def of_lane(batch: Batch, lane: int) -> Batch:
    signals = {m: Signal(s.data[lane], s.mask[lane]) for m, s in batch.signals.items()}
    return Batch(signals, {t: target[lane] for t, target in batch.targets.items()}, batch.rows[lane])


def even(rows: Batches) -> bool:
    """Whether all batches of so many rows have one shape, whatever rows they are of."""
    held = [column for column in rows.columns.values() if isinstance(column, Stored)]
    vectors = [column.rows is not None or int(column.lengths.max()) <= 1 for column in held]
    return len(held) == len(rows.columns) and all(vectors) and all(isinstance(t, Tensor) for t in rows.targets.values())


def first_rows(batch: Batch, rows: int) -> Batch:
    signals = {m: Signal(s.data[:rows], s.mask[:rows]) for m, s in batch.signals.items()}
    return Batch(signals, {t: target[:rows] for t, target in batch.targets.items()}, batch.rows[:rows])
