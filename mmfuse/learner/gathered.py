"""What all ranks have, on each of them. A process by itself has what it has."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader

from mmfuse.data.order import Order
from mmfuse.ranks import here
from mmfuse.types import Batch

T = TypeVar("T")


def gathered(own: T) -> list[T]:
    """By rank."""
    if here().ranks == 1:
        return [own]
    found: list[T | None] = [None] * here().ranks
    distributed.all_gather_object(found, own)
    return found  # type: ignore[return-value]  # all of them are there now


def of_first(own: T) -> T:
    """What rank 0 has."""
    if here().ranks == 1:
        return own
    said = [own if here().first else None]
    distributed.broadcast_object_list(said, src=0)
    return said[0]  # type: ignore[return-value]


def largest(numbers: Sequence[float]) -> list[float]:
    """The largest of all ranks, one by one."""
    most = torch.tensor(numbers, dtype=torch.float64)
    if here().ranks > 1:
        distributed.all_reduce(most, op=distributed.ReduceOp.MAX)
    return most.tolist()


def lost(error: BaseException | None) -> bool:
    """Whether it comes of another rank's end: there is no more to be heard of it."""
    while error is not None:
        words = str(error) if isinstance(error, RuntimeError) else ""
        if isinstance(error, distributed.DistError) or "gloo" in words or "NCCL" in words:
            return True
        error = error.__cause__ or error.__context__
    return False


def weight(rows: int) -> Tensor:
    """What a rank's mean over its rows counts in the mean over ranks, so that this is the mean over all rows."""
    total = torch.tensor(float(rows))
    distributed.all_reduce(total)
    return rows * here().ranks / total


def own_batches(rows: DataLoader[Batch]) -> int:
    """How many there are, without those that only keep a rank in step with the others."""
    return rows.sampler.own if isinstance(rows.sampler, Order) else len(rows)


def in_turn(parts: Sequence[T], rows: DataLoader[Batch] | None) -> list[T]:
    """What was found batch by batch, of all ranks, in the order in which one process would have found it.

    Batches that only keep a rank in step with the others are left out.
    """
    if here().ranks == 1 or rows is None:
        return list(parts)
    each = gathered(list(parts[: own_batches(rows)]))
    return [part for turn in zip_longest(*each) for part in turn if part is not None]


@torch.no_grad()
def even_statistics(module: nn.Module) -> None:
    """The running statistics of batch normalisations, which each rank has of its own rows, are their mean."""
    for part in module.modules() if here().ranks > 1 else ():
        if isinstance(part, _BatchNorm) and part.running_mean is not None and part.running_var is not None:
            for kept in (part.running_mean, part.running_var):
                distributed.all_reduce(kept)
                kept /= here().ranks


def own_buffers(module: nn.Module) -> dict[str, Tensor]:
    """Those in which this rank differs from the first."""
    mine = {name: buffer.detach().cpu() for name, buffer in module.named_buffers()}
    first = of_first(mine)
    return {name: buffer for name, buffer in mine.items() if not torch.equal(buffer, first[name])}
