"""What is too dear for all rows is looked at in some of them, the same ones every time."""

import numpy as np


def sample(rows: np.ndarray, most: int, seed: int = 0) -> np.ndarray:
    """(n,) ascending: all of the rows, or `most` of them.

    >>> sample(np.arange(5), 9), len(sample(np.arange(99), 9))
    (array([0, 1, 2, 3, 4]), 9)
    """
    if len(rows) <= most:
        return np.sort(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def of(looked: int, rows: int) -> str:
    """The clause that says so.

    >>> of(5, 5), of(5, 50)
    ('', ' (looked at 5 of 50 rows)')
    """
    return "" if looked == rows else f" (looked at {looked} of {rows} rows)"
