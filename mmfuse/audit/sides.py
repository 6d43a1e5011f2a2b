"""Which side of the split each row is on."""

import numpy as np

from mmfuse.data.splits import Split

NAMES = ("train", "val", "test")


def sides(split: Split, n: int) -> np.ndarray:
    """(N,) of 0 for train, 1 for val, 2 for test, -1 for none.

    >>> sides(Split(np.array([3, 0]), np.array([1]), np.array([4])), 5)
    array([ 0,  1, -1,  0,  2])
    """
    found = np.full(n, -1)
    for side, rows in enumerate(split):
        found[rows] = side
    return found


def numbers(rows: np.ndarray) -> tuple[int, ...]:
    """Row numbers of a (N,) bool or of an array of them, as findings hold them."""
    return tuple((np.flatnonzero(rows) if rows.dtype == bool else np.sort(rows)).tolist())


def percent(share: float) -> str:
    """
    >>> percent(0.4567), percent(0.0004), percent(1.0)
    ('46 %', '0.04 %', '100 %')
    """
    return f"{100 * share:.{0 if share == 0 or share >= 0.0995 else 1 if share >= 0.001 else 2}f} %"
