"""Areas under curves: what ranking rows by a class's probability is worth, over all thresholds at once.

AUROC is how often a row of the class outranks one that is not, ties for half (Mann and Whitney, 1947). Average
precision is the sum over thresholds of precision times the recall gained, without interpolation, as scikit-learn has
it: rows of equal probability come at one threshold. scikit-learn scores one sample at a time, which for thousands of
them takes minutes; here a whole class costs one running sum. A test holds each to scikit-learn's.
"""

from typing import NamedTuple

import numpy as np

CELLS = 250_000  # of the (rows x samples) table held at a time: 2 MB, which a processor's cache has room for


class Areas(NamedTuple):
    auroc: np.ndarray  # (R, K); NaN without a row of the class or without one that is not
    average_precision: np.ndarray  # (R, K); NaN without a row of the class


def resampled(probabilities: np.ndarray, target: np.ndarray, counts: np.ndarray) -> Areas:
    """(N, K) and (N, K) booleans, where row n is taken counts[r, n] times: (R, N)."""
    found = Areas(*np.full((2, len(counts), probabilities.shape[1]), np.nan))
    size = max(1, CELLS // max(1, len(target)))
    for start in range(0, len(counts), size):
        some = slice(start, start + size)
        times = np.ascontiguousarray(counts[some].T, dtype=np.float64)  # (N, r): a row's counts lie together
        for k in range(probabilities.shape[1]):
            found.auroc[some, k], found.average_precision[some, k] = of_class(probabilities[:, k], target[:, k], times)
    return found


def of_class(probability: np.ndarray, target: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,), (N,) and (N, R) -> AUROC and average precision, (R,) each."""
    _, rank = np.unique(-probability, return_inverse=True)  # (N,): the most probable first, ties share a rank
    order = np.argsort(rank, kind="stable")
    inside = order[target[order]]  # (P,): rows of the class, the most probable first
    right = times[inside]  # (P, R)
    zero = np.zeros((1, times.shape[1]))
    taken = np.concatenate([zero, times[order].cumsum(axis=0)])  # (N + 1, R): among the first n rows
    hits = np.concatenate([zero, right.cumsum(axis=0)])  # (P + 1, R): the same of the class alone
    positive, negative = hits[-1], taken[-1] - hits[-1]  # (R,)
    before, until = (np.searchsorted(rank[order], rank[inside], side=side) for side in ("left", "right"))  # (P,)
    hits_before, hits_until = (hits[np.searchsorted(rank[inside], rank[inside], side=s)] for s in ("left", "right"))
    taken_until = taken[until]  # (P, R)
    above = (taken[before] - hits_before + taken_until - hits_until) / 2  # (P, R): of other classes, ties for half
    precision = np.divide(hits_until, taken_until, out=np.zeros(right.shape), where=taken_until > 0)
    auroc = 1 - share((right * above).sum(axis=0), positive * negative)
    return auroc, share((right * precision).sum(axis=0), positive)


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """NaN of nothing.

    >>> share(np.array([1.0, 0.0]), np.array([4.0, 0.0]))
    array([0.25,  nan])
    """
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def macro(areas: np.ndarray) -> np.ndarray:
    """The mean over the classes that have an area: (R, K) -> (R,).

    >>> macro(np.array([[0.5, 1.0], [0.5, np.nan], [np.nan, np.nan]]))
    array([0.75, 0.5 ,  nan])
    """
    known = ~np.isnan(areas)
    return share(np.where(known, areas, 0.0).sum(axis=1), known.sum(axis=1).astype(np.float64))
