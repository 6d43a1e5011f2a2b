"""How well one thing tells another, cross-validated, and whether that is more than chance."""

from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest

FOLDS = 5
SURE = 1e-5  # of a thing that tells nothing, one in this many is said to tell something


class Guess(NamedTuple):
    """Rows that were told right, each by rows other than itself."""

    right: int
    rows: int
    majority: float  # the share of the most frequent class: what knowing nothing gets right

    @property
    def accuracy(self) -> float:
        return self.right / max(self.rows, 1)

    def beats_majority(self, by: float) -> bool:
        """Whether it is better by `by`, and by more than chance (a binomial test)."""
        if not self.rows or self.accuracy < self.majority + by:
            return False
        return bool(binomtest(self.right, self.rows, min(self.majority, 1.0), alternative="greater").pvalue < SURE)

    @property
    def gives_away(self) -> bool:
        """Nine tenths of what the majority leaves open are told, and next to nothing is told wrong."""
        return self.accuracy >= 0.98 and self.beats_majority(0.9 * (1 - self.majority))


def folds(n: int, seed: int = 0) -> np.ndarray:
    """(n,) which of `FOLDS` parts, of one size, each is in."""
    return np.random.default_rng(seed).permutation(n) % FOLDS


def majority(classes: np.ndarray) -> float:
    """
    >>> majority(np.array([1, 1, 0, 1]))
    0.75
    """
    return float(np.unique(classes, return_counts=True)[1].max() / len(classes)) if len(classes) else 0.0


def by_value(values: np.ndarray, classes: np.ndarray) -> Guess:
    """Tells the class of a row by the most frequent class of the other folds' rows with that value; both (n,) int.

    >>> by_value(np.array([0, 1] * 50), np.array([1, 0] * 50))
    Guess(right=100, rows=100, majority=0.5)
    """
    part, right, n = folds(len(values)), 0, int(classes.max(initial=0)) + 1
    for fold in range(FOLDS):
        here = part == fold
        if here.all() or not here.any():
            continue
        most = np.full(values.max() + 1, most_frequent(classes[~here]))
        pairs, counts = np.unique(values[~here] * n + classes[~here], return_counts=True)
        pairs = pairs[np.argsort(counts, kind="stable")]
        most[pairs // n] = pairs % n  # of a value's classes, the most frequent is written last
        right += int((most[values[here]] == classes[here]).sum())
    return Guess(right, len(values), majority(classes))


def most_frequent(classes: np.ndarray) -> int:
    found, counts = np.unique(classes, return_counts=True)
    return int(found[counts.argmax()])


def by_number(numbers: np.ndarray, classes: np.ndarray) -> Guess:
    """Tells the class of a row by the row of the other folds whose number is nearest; (n,) float and (n,) int."""
    part, right = folds(len(numbers)), 0
    for fold in range(FOLDS):
        here = part == fold
        if here.all() or not here.any():
            continue
        order = np.argsort(numbers[~here], kind="stable")
        known, theirs = numbers[~here][order], classes[~here][order]
        above = np.searchsorted(known, numbers[here]).clip(max=len(known) - 1)
        below = (above - 1).clip(min=0)
        nearer = np.abs(known[below] - numbers[here]) <= np.abs(known[above] - numbers[here])
        right += int((theirs[np.where(nearer, below, above)] == classes[here]).sum())
    return Guess(right, len(numbers), majority(classes))
