"""Scores of several labels at once: scikit-learn's, a label being given where its probability is above one half.

A label that is never given has precision 0, one that is never true recall 0 (`zero_division=0`). "samples" averages
over rows and the others over labels; "map" is the mean of the labels' average precisions, over those that occur.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import metrics as sk

from mmfuse.metrics import areas

AVERAGES = ("macro", "micro", "weighted", "samples")
PARTS = ("precision", "recall", "f1")


def scores(probabilities: np.ndarray, target: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """(N, K) probabilities, (N, K) booleans -> figures by name, "per_class" among them; accuracy is of whole rows."""
    names = ("accuracy", *(f"{part}_{average}" for average in AVERAGES for part in PARTS), "map")
    if not len(target):
        nothing = {part: dict.fromkeys(classes, float("nan")) for part in PARTS}
        return dict.fromkeys(names, float("nan")) | {"per_class": nothing | {"support": dict.fromkeys(classes, 0.0)}}
    given = probabilities > 0.5
    found: dict[str, Any] = {"accuracy": float((given == target).all(axis=1).mean())}
    for average in AVERAGES:
        figures = sk.precision_recall_fscore_support(target, given, average=average, zero_division=0.0)
        found |= {f"{part}_{average}": float(v) for part, v in zip(PARTS, figures[:3], strict=True)}
    each = [sk.average_precision_score(t, p) for t, p in zip(target.T, probabilities.T, strict=True) if t.any()]
    found["map"] = float(np.mean(each)) if each else float("nan")
    by_class = sk.precision_recall_fscore_support(target, given, average=None, zero_division=0.0)
    found["per_class"] = {
        name: dict(zip(classes, map(float, values), strict=True))
        for name, values in zip((*PARTS, "support"), by_class, strict=True)
    }
    return found


def resampled(probabilities: np.ndarray, target: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """The figures of `scores` where row n is taken counts[r, n] times: (R, N) counts -> (R,) each."""
    counts, given = counts.astype(np.float64), probabilities > 0.5
    n = counts.sum(axis=1)  # (R,)
    n = np.where(n > 0, n, np.nan)
    true, claimed, right = counts @ target, counts @ given, counts @ (target & given)  # (R, K)
    found = {"accuracy": counts @ (given == target).all(axis=1) / n}
    weight = true.sum(axis=1, keepdims=True)
    weight = np.divide(true, weight, out=np.zeros(true.shape), where=weight > 0)  # (R, K)
    by_class = shares(right, claimed, true)
    joined = shares(right.sum(axis=1), claimed.sum(axis=1), true.sum(axis=1))
    for part, each, micro in zip(PARTS, by_class, joined, strict=True):
        averages = {"macro": each.mean(axis=1), "micro": micro, "weighted": (each * weight).sum(axis=1)}
        found |= {f"{part}_{name}": np.where(n > 0, value, np.nan) for name, value in averages.items()}
    of_rows = shares((target & given).sum(1), given.sum(1), target.sum(1))
    found |= {f"{part}_samples": counts @ each / n for part, each in zip(PARTS, of_rows, strict=True)}
    found["map"] = areas.macro(areas.resampled(probabilities, target, counts).average_precision)
    return found


def shares(right: np.ndarray, claimed: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 of counts; 0 where there is nothing to divide by.

    >>> [share.tolist() for share in shares(np.array([1, 0]), np.array([2, 0]), np.array([4, 0]))]
    [[0.5, 0.0], [0.25, 0.0], [0.3333333333333333, 0.0]]
    """

    def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0)

    return share(right, claimed), share(right, true), share(2.0 * right, claimed + true)
