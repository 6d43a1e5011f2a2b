"""What one column tells of another."""

import numpy as np

from mmfuse.guess.look import Look

SEVERAL = 3  # rows a value, on average, from which on a relation is hardly chance


def codes(a: Look, b: Look) -> tuple[np.ndarray, np.ndarray]:
    """Which of its distinct values either has, over the rows that have both."""
    _, here, there = np.intersect1d(a.rows, b.rows, assume_unique=True, return_indices=True)
    return a.codes[here], b.codes[there]


def tells(a: Look, b: Look) -> bool:
    """Whether a row's value of `a` leaves only one for `b`, and not merely because values of `a` are rare.

    >>> from mmfuse.guess.look import look
    >>> animal, legs = look(["cat", "hen", "dog"] * 3), look([4, 2, 4] * 3)
    >>> tells(animal, legs), tells(legs, animal)
    (True, False)
    """
    x, y = codes(a, b)
    distinct = int((np.bincount(x) > 0).sum())
    return 2 <= distinct <= len(x) / SEVERAL and len(np.unique(x * b.distinct + y)) == distinct


def proportional(a: Look, b: Look) -> bool:
    """Whether two columns of numbers are one but for unit and origin."""
    if (
        a.form != "number"
        or b.form != "number"
        or not np.array_equal(a.rows, b.rows)
        or a.distinct < 3
        or b.distinct < 3
    ):
        return False
    return bool(abs(np.corrcoef(a.values, b.values)[0, 1]) > 1 - 1e-9)
