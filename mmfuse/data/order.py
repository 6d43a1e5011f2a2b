"""In which order rows are seen. An epoch's order follows from the seed and the epoch, and can be entered anywhere.

Several ranks go through the batches of one process that has all their rows a step: each takes its part of every batch.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch.utils.data import Sampler

from mmfuse.ranks import Place


class Order(Sampler[np.ndarray]):
    """Batches of row numbers: shuffled by (seed, epoch), or as they are where the seed is None.

    >>> [batch.tolist() for batch in Order([7, 8, 9], batch_size=2, seed=None)]
    [[7, 8], [9]]
    >>> [batch.tolist() for batch in Order([5, 6, 7, 8, 9], batch_size=2, seed=None, place=Place(1, 2))]
    [[7, 8], [9]]
    """

    def __init__(self, rows: Sequence[int] | np.ndarray, batch_size: int, seed: int | None, place: Place | None = None):
        """`batch_size` rows for each rank; `place` is the rank whose part it is, None for a process by itself.

        Training rows that are too few for each rank to have one are left out of their epoch. Where rows are not
        shuffled, each counts, and a rank without one keeps in step with the others by a row that is not its own.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size}: at least 1 is needed")
        self.place = place or Place()
        self.rows, self.seed = np.asarray(rows, dtype=np.int64), seed
        self.batch_size = batch_size * self.place.ranks  # of all ranks
        self.epoch = self.start = 0

    def enter(self, epoch: int, start: int) -> None:
        """The next iteration begins with batch `start` of this epoch."""
        self.epoch, self.start = epoch, start

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer at the start of each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[np.ndarray]:
        start, self.start = self.start, 0
        batches = islice(self.batches(), start, None)
        yield from batches if self.place.ranks == 1 else self.shares(batches)

    def shares(self, batches: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        rank, ranks = self.place.rank, self.place.ranks
        for batch in batches:
            if len(batch) >= ranks:
                yield np.array_split(batch, ranks)[rank]
            elif self.seed is None:
                yield batch[rank : rank + 1] if rank < len(batch) else batch[:1]

    def batches(self) -> Iterator[np.ndarray]:
        """The whole epoch's, of all ranks."""
        rows = self.rows if self.seed is None else self.rows[permutation(len(self.rows), self.chance(self.seed))]
        yield from parts(rows, self.batch_size)

    def chance(self, seed: int) -> torch.Generator:
        """What the epoch's order is drawn from."""
        return torch.Generator().manual_seed((seed * 1_000_003 + self.epoch) % 2**63)

    @property
    def rest(self) -> int:
        """Rows of the last batch, if it is too small for all ranks."""
        last = len(self.rows) % self.batch_size
        return last if last < self.place.ranks else 0

    @property
    def left_out(self) -> int:
        """Rows that an epoch does without."""
        return 0 if self.seed is None else self.rest

    @property
    def own(self) -> int:
        """Batches whose rows are this rank's own, before any that only keeps it in step."""
        return len(self) - (self.seed is None and 0 < self.rest <= self.place.rank)

    def __len__(self) -> int:
        return -(-(len(self.rows) - self.left_out) // self.batch_size)


def permutation(n: int, chance: torch.Generator) -> np.ndarray:
    return torch.randperm(n, generator=chance).numpy()


def parts(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """
    >>> [part.tolist() for part in parts(np.array([7, 8, 9]), 2)]
    [[7, 8], [9]]
    """
    return (rows[start : start + size] for start in range(0, len(rows), size))
