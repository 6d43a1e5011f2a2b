"""In which order rows are seen. An epoch's order follows from the seed and the epoch, and can be entered anywhere."""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch.utils.data import Sampler


class Order(Sampler[np.ndarray]):
    """Batches of row numbers: shuffled by (seed, epoch), or as they are where the seed is None.

    >>> [batch.tolist() for batch in Order([7, 8, 9], batch_size=2, seed=None)]
    [[7, 8], [9]]
    """

    def __init__(self, rows: Sequence[int] | np.ndarray, batch_size: int, seed: int | None):
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size}: at least 1 is needed")
        self.rows, self.batch_size, self.seed = np.asarray(rows, dtype=np.int64), batch_size, seed
        self.epoch = self.start = 0

    def enter(self, epoch: int, start: int) -> None:
        """The next iteration begins with batch `start` of this epoch."""
        self.epoch, self.start = epoch, start

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer at the start of each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[np.ndarray]:
        start, self.start = self.start, 0
        yield from islice(self.batches(), start, None)

    def batches(self) -> Iterator[np.ndarray]:
        """The whole epoch's."""
        rows = self.rows if self.seed is None else self.rows[permutation(len(self.rows), self.chance(self.seed))]
        yield from parts(rows, self.batch_size)

    def chance(self, seed: int) -> torch.Generator:
        """What the epoch's order is drawn from."""
        return torch.Generator().manual_seed((seed * 1_000_003 + self.epoch) % 2**63)

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)


def permutation(n: int, chance: torch.Generator) -> np.ndarray:
    return torch.randperm(n, generator=chance).numpy()


def parts(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """
    >>> [part.tolist() for part in parts(np.array([7, 8, 9]), 2)]
    [[7, 8], [9]]
    """
    return (rows[start : start + size] for start in range(0, len(rows), size))
