"""A column some of whose rows are as if they lacked the modality."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from jaxtyping import Bool
from torch import Tensor

from mmfuse.data.columns import Column, Stored, Streamed
from mmfuse.types import Ragged


def hide(column: Column, hidden: Bool[Tensor, " N"]) -> Column:
    """What is held is not copied: hidden rows share one value without steps. What streams is not even read."""
    if isinstance(column, Streamed):
        return Streamed(partial(read_rest, column.read, hidden))
    assert isinstance(column, Stored)
    data, lengths, real = column.values
    which = torch.arange(len(lengths)) if column.which is None else column.which  # (N,)
    none = torch.zeros(1, dtype=lengths.dtype)
    return Stored(Ragged(data, torch.cat([lengths, none]), real), which.masked_fill(hidden, len(lengths)))


def read_rest(read: Callable[[Sequence[int]], Ragged], hidden: Bool[Tensor, " N"], rows: Sequence[int]) -> Ragged:
    shown = ~hidden[torch.as_tensor(rows)]  # (B,)
    wanted = [row for row, seen in zip(rows, shown.tolist(), strict=True) if seen]
    ragged = read(wanted or rows[:1])  # one, where none is wanted, to know what a step is like
    lengths = torch.zeros(len(rows), dtype=ragged.lengths.dtype)
    if not wanted:
        return Ragged(ragged.data[:0], lengths, None)
    lengths[shown] = ragged.lengths
    return Ragged(ragged.data, lengths, ragged.mask)
