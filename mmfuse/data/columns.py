"""One modality of a data set, ready to be fetched batch by batch."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from mmfuse.types import Ragged, Signal


@runtime_checkable
class Column(Protocol):
    def batch(self, rows: Int[Tensor, " B"]) -> Signal: ...


class Stored:
    """Held in memory as tensors, end to end without padding. A batch is padded to the longest of its own rows."""

    def __init__(self, ragged: Ragged, which: Int[Tensor, " N"] | None = None):
        """`which` tells of each row which of the values it has, where many rows share one; None: each has its own."""
        self.values, self.which = ragged, which
        self.data, self.lengths, self.real = ragged
        self.starts = self.lengths.cumsum(0) - self.lengths  # (N,)
        self.rows = alike(ragged)  # (U, T, ...), where there is nothing to pad
        if which is not None:
            self.lengths, self.starts = self.lengths[which], self.starts[which]

    @property
    def ragged(self) -> Ragged:
        """Row after row, whoever shares a value with whom."""
        if self.which is None:
            return self.values
        steps = torch.arange(int(self.lengths.sum())) - (self.lengths.cumsum(0) - self.lengths).repeat_interleave(
            self.lengths
        )  # (S,) of each step: its place in its row
        where = self.starts.repeat_interleave(self.lengths) + steps  # (S,)
        real = None if self.real is None else self.real[where]
        return Ragged(self.data[where], self.lengths, real)

    def batch(self, rows: Int[Tensor, " B"]) -> Signal:
        if self.rows is not None:
            own = rows if self.which is None else self.which.index_select(0, rows)  # (B,)
            data = self.rows.index_select(0, own)  # (B, T, ...)
            return Signal(data, torch.ones(data.shape[:2], dtype=torch.bool))
        lengths = self.lengths[rows]  # (B,)
        steps = torch.arange(max(1, int(lengths.max())))  # (T,)
        mask = steps < lengths[:, None]  # (B, T)
        if not len(self.data):  # no row of this split has the modality
            return Signal(self.data.new_zeros(*mask.shape, *self.data.shape[1:]), mask)
        where = (self.starts[rows][:, None] + steps).clamp(max=len(self.data) - 1)  # (B, T)
        data = self.data.index_select(0, where.flatten()).unflatten(0, mask.shape)  # (B, T, ...)
        if self.real is not None:
            mask = mask & self.real[where]
        return Signal(zeroed(data, mask), mask)


class Streamed:
    """Prepared anew whenever it is fetched, by the loader's workers: for media that memory does not hold."""

    def __init__(self, read: Callable[[Sequence[int]], Ragged]):
        """`read` prepares the rows of these numbers."""
        self.read = read

    def batch(self, rows: Int[Tensor, " B"]) -> Signal:
        ragged = self.read(rows.tolist())
        if (data := alike(ragged)) is not None:  # (B, T, ...): nothing has to be copied
            return Signal(data, torch.ones(data.shape[:2], dtype=torch.bool))
        return Stored(ragged).batch(torch.arange(len(rows)))


class Padded:
    """Labels of steps: batch by batch as (B, T), -1 beyond a row's end and throughout a row that has none."""

    def __init__(self, rows: Iterable[np.ndarray | None]):
        """An integer array for each row, its labels step by step; None without labels."""
        steps = [torch.from_numpy(np.empty(0, np.int64) if row is None else row) for row in rows]
        self.labels = Stored(Ragged(torch.cat(steps), torch.tensor([len(s) for s in steps])))

    def __getitem__(self, rows: Int[Tensor, " B"]) -> Int[Tensor, "B T"]:
        labels, mask = self.labels.batch(rows)
        return labels.masked_fill(~mask, -1)


def alike(ragged: Ragged) -> Tensor | None:
    """Its data by row, (N, T, ...), where every row has the same number of steps and none is missing; else None."""
    data, lengths, real = ragged
    if real is not None or not len(data) or len(data) % len(lengths) or (lengths != lengths[0]).any():
        return None
    return data.unflatten(0, (len(lengths), -1))


def zeroed(data: Tensor, mask: Bool[Tensor, "B T"]) -> Tensor:
    """Zeros where the mask is False, in place."""
    if not mask.all():
        data[~mask] = 0
    return data
