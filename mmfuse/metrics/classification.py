"""Scores of single-label classification: scikit-learn's, with the classes fixed by the data set.

A class that nobody predicts has precision 0, one without rows recall 0 (`zero_division=0`), and both count in macro
averages. AUROC is one-versus-rest, averaged over the classes that have both positives and negatives.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import metrics as sk

AVERAGES = ("macro", "micro", "weighted")


def scores(probabilities: np.ndarray, target: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """(N, K) probabilities and (N,) class numbers -> figures by name, "per_class" and "confusion" among them."""
    if not len(target):
        return unknown(classes)
    labels = np.arange(len(classes))
    predicted = probabilities.argmax(axis=1)
    found: dict[str, Any] = {"accuracy": float(sk.accuracy_score(target, predicted))}
    for average in AVERAGES:
        figures = sk.precision_recall_fscore_support(
            target, predicted, labels=labels, average=average, zero_division=0.0
        )
        found |= {f"{n}_{average}": float(v) for n, v in zip(("precision", "recall", "f1"), figures[:3], strict=True)}
    found["auroc"] = float(np.mean(areas)) if (areas := class_areas(probabilities, target)) else float("nan")
    each = sk.precision_recall_fscore_support(target, predicted, labels=labels, average=None, zero_division=0.0)
    found["per_class"] = {
        name: dict(zip(classes, map(float, values), strict=True))
        for name, values in zip(("precision", "recall", "f1", "support"), each, strict=True)
    }
    found["confusion"] = sk.confusion_matrix(target, predicted, labels=labels).tolist()  # rows are the true classes
    return found


def unknown(classes: Sequence[str]) -> dict[str, Any]:
    """The figures of no rows at all."""
    names = ("accuracy", *(f"{n}_{a}" for a in AVERAGES for n in ("precision", "recall", "f1")), "auroc")
    per_class = {n: dict.fromkeys(classes, float("nan")) for n in ("precision", "recall", "f1")}
    empty = {
        "per_class": per_class | {"support": dict.fromkeys(classes, 0.0)},
        "confusion": [[0] * len(classes)] * len(classes),
    }
    return dict.fromkeys(names, float("nan")) | empty


def class_areas(probabilities: np.ndarray, target: np.ndarray) -> list[float]:
    """The area under each class's own curve, where it has one."""
    wanted = [k for k in range(probabilities.shape[1]) if 0 < (target == k).sum() < len(target)]
    return [float(sk.roc_auc_score(target == k, probabilities[:, k])) for k in wanted]


def resampled(probabilities: np.ndarray, target: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """The figures of `scores` where row n is taken counts[r, n] times: (R, N) counts -> (R,) each.

    scikit-learn scores one sample at a time, which for thousands of them takes minutes; here every sample's counts
    come from one matrix product. A test holds each figure to scikit-learn's, sample by sample.
    """
    k = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    counts = counts.astype(np.float64)
    positives = counts @ np.eye(k)[target]  # (R, K): rows of each class
    claimed = counts @ np.eye(k)[predicted]  # (R, K): rows said to be of it
    right = counts @ (np.eye(k)[target] * (target == predicted)[:, None])  # (R, K)
    n = positives.sum(axis=1)  # (R,)
    n = np.where(n > 0, n, np.nan)
    precision, recall = right / claimed.clip(min=1), right / positives.clip(min=1)
    f1 = 2 * right / (positives + claimed).clip(min=1)
    accuracy = right.sum(axis=1) / n
    found = {"accuracy": accuracy}
    for name, each in (("precision", precision), ("recall", recall), ("f1", f1)):
        found |= {
            f"{name}_macro": np.where(n > 0, each.mean(axis=1), np.nan),
            f"{name}_micro": accuracy,  # every row has one class and one guess, so all three are the accuracy
            f"{name}_weighted": (each * positives).sum(axis=1) / n,
        }
    found["auroc"] = resampled_auroc(probabilities, target, counts)
    return found


def resampled_auroc(probabilities: np.ndarray, target: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mann and Whitney's form of the area: how often a row of the class outranks one that is not, ties for half."""
    areas = np.full((len(counts), probabilities.shape[1]), np.nan)  # (R, K)
    for k in range(probabilities.shape[1]):
        _, rank = np.unique(probabilities[:, k], return_inverse=True)  # (N,): ties share a rank
        order = np.argsort(rank, kind="stable")
        starts = np.flatnonzero(np.diff(rank[order], prepend=-1))  # where each rank begins
        positive = np.add.reduceat((counts * (target == k))[:, order], starts, axis=1)  # (R, ranks)
        negative = np.add.reduceat((counts * (target != k))[:, order], starts, axis=1)
        below = negative.cumsum(axis=1) - negative / 2
        pairs = positive.sum(axis=1) * negative.sum(axis=1)  # (R,)
        areas[:, k] = np.divide(
            (positive * below).sum(axis=1), pairs, out=np.full(len(counts), np.nan), where=pairs > 0
        )
    known = ~np.isnan(areas)
    return np.divide(
        np.where(known, areas, 0.0).sum(axis=1),
        known.sum(axis=1),
        out=np.full(len(areas), np.nan),
        where=known.any(axis=1),
    )
