"""Batches of vectors in memory, against slicing one tensor by hand. CPU time, one thread.

The goal is of slicing, x[rows]. index_select, given beside it, copies whole rows and is quicker than either; what ours
make besides are masks, targets and row numbers in a Batch, and what torch's DataLoader makes of the same is below.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from benches.held import prepared, settings
from benches.row import Row
from benches.timing import Again, in_turns
from mmfuse.data.batches import Batches
from mmfuse.data.columns import Column, Stored
from mmfuse.data.order import Order
from mmfuse.run.loader import loader
from mmfuse.types import Ragged


def rows(n: int = 100_000) -> Iterator[Row]:
    d = 128
    x, y = torch.randn(n, d), torch.randint(0, 5, (n,))
    batches: dict[str, Column] = {"v": Stored(Ragged(x, torch.ones(n, dtype=torch.long)))}
    for size in (64, 256):
        ours = loader(settings(size), prepared(batches, {"y": y}, n), np.arange(n), 0)
        sliced, selected, torchs, empty = (f(x, y, size) for f in (slicing, selecting, by_torch, nothing))
        each: dict[str, Iterable[Any]] = {
            "ours": ours,
            "x[rows]": sliced,
            "index_select": selected,
            "DataLoader": torchs,
            "empty": empty,
        }
        rate = in_turns(each)
        for rival, goal in (("x[rows]", (">=", 0.9)), ("index_select", None)):
            name = f"vectors, batches of {size}, against {rival}"
            yield Row(name, n / rate["ours"], n / rate[rival], goal, "rows/s")
        steps = n / size
        yield Row(
            f"  the same by torch's DataLoader, {size}",
            n / rate["DataLoader"],
            n / rate["index_select"],
            None,
            "rows/s",
        )
        yield Row(f"  a DataLoader of nothing, {size}", 1e6 * rate["empty"] / steps, None, None, "us/batch")


def slicing(x: torch.Tensor, y: torch.Tensor, size: int) -> Iterable[Any]:
    def start() -> Iterator[Any]:
        order = torch.randperm(len(x))
        for k in range(0, len(x), size):
            rows = order[k : k + size]
            yield x[rows], y[rows], rows

    return Again(start)


def selecting(x: torch.Tensor, y: torch.Tensor, size: int) -> Iterable[Any]:
    def start() -> Iterator[Any]:
        for rows in torch.randperm(len(x)).split(size):
            yield x.index_select(0, rows), y.index_select(0, rows), rows

    return Again(start)


def by_torch(x: torch.Tensor, y: torch.Tensor, size: int) -> Iterable[Any]:
    batches = Batches({"v": Stored(Ragged(x, torch.ones(len(x), dtype=torch.long)))}, {"y": y})
    return DataLoader(batches, sampler=Order(np.arange(len(x)), size, 0), batch_size=None)


class Nothing(Dataset[Any]):
    def __getitem__(self, rows: Any) -> Any:
        return rows


def nothing(x: torch.Tensor, y: torch.Tensor, size: int) -> Iterable[Any]:
    return DataLoader(Nothing(), sampler=Order(np.arange(len(x)), size, 0), batch_size=None)
