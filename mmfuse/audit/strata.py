"""A task's targets as classes, so that one test of dependence serves every kind of task."""

import numpy as np

from mmfuse.tasks.labels import has_label


def strata(target: np.ndarray) -> np.ndarray:
    """(N,) int64, -1 without a label: classes as they are, numbers by tercile, of many answers the most even one.

    A list of labels a row (words, pairs) has no one class: all -1.

    >>> strata(np.array([0.1, 5.0, np.nan, 0.2, 9.0, 4.0, 8.0], dtype=np.float32))
    array([ 0,  1, -1,  0,  2,  1,  2])
    >>> strata(np.array([[1.0, 1.0], [1.0, 0.0], [np.nan, np.nan]]))
    array([ 1,  0, -1])
    """
    if target.dtype.kind == "O":
        return np.full(len(target), -1)
    known = has_label(target)
    if target.ndim == 2:
        yes = target > 0.5  # (N, C)
        most_even = int(np.abs(yes[known].mean(axis=0) - 0.5).argmin()) if known.any() else 0
        return np.where(known, yes[:, most_even], -1)
    if target.dtype.kind == "f":
        edges = np.unique(np.quantile(target[known], [1 / 3, 2 / 3])) if known.any() else np.empty(0)
        return np.where(known, np.searchsorted(edges, target, side="left"), -1)
    return target.astype(np.int64)


def distinct(target: np.ndarray) -> np.ndarray:
    """(N,) equal numbers for equal labels, -1 without one.

    >>> distinct(np.array([0.5, np.nan, 0.5, -2.0]))
    array([ 1, -1,  1,  0])
    """
    known = has_label(target)
    values: np.ndarray = np.array([str(v) for v in target]) if target.dtype.kind == "O" else target
    found = np.full(len(target), -1)
    found[known] = np.unique(values[known], axis=0, return_inverse=True)[1].reshape(-1)
    return found
