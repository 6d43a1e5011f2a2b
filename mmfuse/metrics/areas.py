"""Areas under curves: what ranking rows by a class's probability is worth, over all thresholds at once.

AUROC is how often a row of the class outranks one that is not, ties for half (Mann and Whitney, 1947). Average
precision is the sum over thresholds of precision times the recall gained, without interpolation, as scikit-learn has
it: rows of equal probability come at one threshold. scikit-learn scores one sample at a time, which for thousands of
them takes minutes; here a whole class costs one running sum. A test holds each to scikit-learn's.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

CELLS = 250_000  # of the (rows x samples) table held at a time: 1 MB, which a processor's cache has room for


class Areas(NamedTuple):
    auroc: np.ndarray  # (R, K); NaN without a row of the class or without one that is not
    average_precision: np.ndarray  # (R, K); NaN without a row of the class


def resampled(probabilities: np.ndarray, target: np.ndarray, counts: np.ndarray) -> Areas:
    """(N, K) and (N, K) booleans, where row n is taken counts[r, n] times: (R, N)."""
    found = Areas(*np.full((2, len(counts), probabilities.shape[1]), np.nan))
    size = max(1, CELLS // max(1, len(target)))
    ladders = [ladder(probabilities[:, k], target[:, k]) for k in range(probabilities.shape[1])]
    for start in range(0, len(counts), size):
        some = slice(start, start + size)
        times = np.ascontiguousarray(counts[some].T, dtype=np.float32)  # (N, r): exact up to 16 million rows
        for k, steps in enumerate(ladders):
            found.auroc[some, k], found.average_precision[some, k] = of_class(steps, times)
    return found


def once(probabilities: np.ndarray, target: np.ndarray) -> Areas:
    """Every row taken once, in double precision: (N, K) and (N, K) booleans -> (1, K) each.

    >>> once(np.array([[0.9], [0.4], [0.6]]), np.array([[True], [False], [True]])).auroc
    array([[1.]])
    """
    times = np.ones((len(target), 1))
    each = [of_class(ladder(p, t), times) for p, t in zip(probabilities.T, target.T, strict=True)]
    return Areas(*(np.stack(areas, axis=1) for areas in zip(*each, strict=True)))


class Ladder(NamedTuple):
    """The thresholds at which a class gains something: the T different probabilities of its own rows, highest first."""

    inside: csr_array  # (T, N): the class's rows of just this probability
    above: csr_array  # (T, N): rows of other classes above it, and under the threshold before
    beside: csr_array  # (T, N): rows of other classes of just this probability
    below: np.ndarray  # (N,): rows of other classes under the last threshold


def ladder(probability: np.ndarray, target: np.ndarray) -> Ladder:
    """(N,) and (N,) booleans."""
    thresholds = -np.unique(-probability[target])  # (T,) falling
    place = np.searchsorted(-thresholds, -probability, side="left")  # (N,): the first threshold that it reaches
    reached = place < len(thresholds)
    at = reached & (probability == thresholds[np.where(reached, place, 0)] if len(thresholds) else reached)
    inside, above, beside = (
        rows_of(place, rows, len(thresholds)) for rows in (target, ~target & reached & ~at, ~target & at)
    )
    return Ladder(inside, above, beside, np.flatnonzero(~reached))


def rows_of(place: np.ndarray, rows: np.ndarray, count: int) -> csr_array:
    """(T, N) that adds up rows by place."""
    which = np.flatnonzero(rows)
    return csr_array((np.ones(len(which), np.float32), (place[which], which)), shape=(count, len(rows)))


def of_class(steps: Ladder, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, R) -> AUROC and average precision, (R,) each."""
    right, above, beside = steps.inside @ times, steps.above @ times, steps.beside @ times  # (T, R)
    hits = right.cumsum(axis=0)  # (T, R): the class's rows down to each threshold
    wrong = (above + beside).cumsum(axis=0)  # (T, R): of other classes
    taken = hits + wrong
    precision = np.divide(hits, taken, out=np.zeros(taken.shape), where=taken > 0)  # (T, R) in full
    positive = right.sum(axis=0, dtype=np.float64)  # (R,)
    negative = (above + beside).sum(axis=0, dtype=np.float64) + times[steps.below].sum(axis=0, dtype=np.float64)
    outranked = np.einsum("tr,tr->r", right, wrong - beside / 2, dtype=np.float64)  # ties for half
    gained = np.einsum("tr,tr->r", right, precision)
    return 1 - share(outranked, positive * negative), share(gained, positive)


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
