"""Which rows have a label, whatever a task's targets look like."""

import numpy as np


def has_label(target: np.ndarray) -> np.ndarray:
    """(N,) of class numbers with -1, of numbers with NaN, of (C,) answers with NaN, or of one array a row with None.

    >>> has_label(np.array([2, -1])), has_label(np.array([np.nan, 0.5]))
    (array([ True, False]), array([False,  True]))
    >>> has_label(np.array([[0.0, 1.0], [np.nan, np.nan]]))
    array([ True, False])
    >>> has_label(np.array([np.array([0, 1]), None], dtype=object))
    array([ True, False])
    """
    if target.dtype.kind == "O":
        return np.array([value is not None for value in target], dtype=bool)
    if target.dtype.kind == "f":
        known = ~np.isnan(target)
        return known if known.ndim == 1 else known.any(axis=1)
    return target >= 0
