"""Batches of rows that are about as long as each other, so that little of a batch is padding.

Rows are shuffled first and grouped by length only within a window of so many batches, and the batches are shuffled
again: what stands in a batch together is still much a matter of chance, and short rows do not all come before long
ones. Rows that have several lengths, one a modality, are parted again and again by the modality that pads the most.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mmfuse.data.order import Order, parts, permutation
from mmfuse.ranks import Place

WINDOW = 50  # batches


class ByLength(Order):
    def __init__(
        self,
        rows: Sequence[int] | np.ndarray,
        batch_size: int,
        seed: int,
        lengths: Mapping[str, np.ndarray],
        window: int = WINDOW,
        place: Place | None = None,
    ):
        """`lengths` by modality: (N,) the steps of each row of the data set, of which `rows` are some."""
        super().__init__(rows, batch_size, seed, place)
        if window < 1:
            raise ValueError(f"window={window}: at least 1 batch is needed")
        self.shuffle_seed = seed
        self.lengths, self.window = np.stack(list(lengths.values()), axis=1), window  # (N, M)

    def batches(self) -> Iterator[np.ndarray]:
        chance = self.chance(self.shuffle_seed)
        rows = self.rows[permutation(len(self.rows), chance)]
        windows = parts(rows, self.window * self.batch_size)
        batches = [batch for window in windows for batch in parted(window, self.lengths, self.batch_size)]
        yield from (batches[k] for k in permutation(len(batches), chance))


def parted(rows: np.ndarray, lengths: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """The rows in batches, all of them full but one; `lengths` is (N, M).

    >>> [batch.tolist() for batch in parted(np.array([0, 1, 2, 3]), np.array([[5], [1], [4], [1]]), 2)]
    [[1, 3], [2, 0]]
    """
    if len(rows) <= batch_size:
        return [rows]
    here = lengths[rows]  # (n, M)
    worst = int((here.max(axis=0) - here.mean(axis=0)).argmax())
    ordered = rows[np.argsort(here[:, worst], kind="stable")]
    middle = batch_size * (-(-len(rows) // batch_size) // 2)
    return parted(ordered[:middle], lengths, batch_size) + parted(ordered[middle:], lengths, batch_size)


def padded(batches: Sequence[Sequence[int] | np.ndarray], lengths: np.ndarray) -> float:
    """The share of a batch's steps that are padding, over all batches and modalities; `lengths` is (N, M).

    >>> padded([[0, 1], [2]], np.array([[1], [3], [2]]))
    0.25
    """
    real = sum(int(lengths[rows].sum()) for rows in batches)
    held = sum(len(rows) * int(lengths[rows].max(axis=0).sum()) for rows in batches)
    return 1 - real / held
