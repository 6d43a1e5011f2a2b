"""In which order rows are seen. It keeps no state: an epoch's order is a function of the seed and the epoch."""

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler


class Order(Sampler[list[int]]):
    """Batches of row numbers: shuffled by (seed, epoch), or as they are where the seed is None.

    >>> list(Order([7, 8, 9], batch_size=2, seed=None))
    [[7, 8], [9]]
    """

    def __init__(self, rows: Sequence[int], batch_size: int, seed: int | None):
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size}: at least 1 is needed")
        self.rows, self.batch_size, self.seed = torch.as_tensor(rows), batch_size, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer at the start of each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        rows = self.rows
        if self.seed is not None:
            random = torch.Generator().manual_seed((self.seed * 1_000_003 + self.epoch) % 2**63)
            rows = rows[torch.randperm(len(rows), generator=random)]
        yield from (batch.tolist() for batch in rows.split(self.batch_size))

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)
