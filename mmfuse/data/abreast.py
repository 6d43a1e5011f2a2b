"""Batches that no rank has more of than another."""

from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import distributed

T = TypeVar("T")


def abreast(batches: Iterator[T]) -> Iterator[T]:
    """An epoch ends for all ranks where one has no batch left: alone, the others could not average their gradients."""
    while True:
        batch = next(batches, None)
        has = torch.tensor(0 if batch is None else 1)
        distributed.all_reduce(has, op=distributed.ReduceOp.MIN)
        if batch is None or not has:
            return
        yield batch
