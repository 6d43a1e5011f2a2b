"""What one column tells of another."""

import numpy as np

from mmfuse.guess.look import Look

SEVERAL = 3  # rows a value, on average, from which on a relation is hardly chance


def codes(a: Look, b: Look) -> tuple[np.ndarray, np.ndarray]:
    """The values of both as numbers, over the rows that have both."""
    both = np.intersect1d(a.rows, b.rows, assume_unique=True)
    found = []
    for column in (a, b):
        number = {value: k for k, value in enumerate(dict.fromkeys(map(str, column.values)))}
        here = dict(zip(column.rows.tolist(), column.values, strict=True))
        found.append(np.array([number[str(here[row])] for row in both.tolist()], dtype=np.int64))
    return found[0], found[1]


def tells(a: Look, b: Look) -> bool:
    """Whether a row's value of `a` leaves only one for `b`, and not merely because values of `a` are rare.

    >>> from mmfuse.guess.look import look
    >>> animal, legs = look(["cat", "hen", "dog"] * 3), look([4, 2, 4] * 3)
    >>> tells(animal, legs), tells(legs, animal)
    (True, False)
    """
    x, y = codes(a, b)
    distinct = len(np.unique(x))
    return 2 <= distinct <= len(x) / SEVERAL and len(np.unique(np.stack([x, y]), axis=1).T) == distinct


def proportional(a: Look, b: Look) -> bool:
    """Whether two columns of numbers are one but for unit and origin."""
    if a.form != "number" or b.form != "number" or list(a.rows) != list(b.rows) or a.distinct < 3 or b.distinct < 3:
        return False
    return bool(abs(np.corrcoef(a.values, b.values)[0, 1]) > 1 - 1e-9)
