"""Scores of single-label classification: scikit-learn's, with the classes fixed by the data set.

A class that nobody predicts has precision 0, one without rows recall 0 (`zero_division=0`), and both count in macro
averages; balanced accuracy is the mean recall of the classes that have rows. AUROC is one-versus-rest, averaged over
the classes that have both positives and negatives; average precision likewise over the classes that have positives. The
classes that are skipped are those whose "support" is 0. ECE, Brier and NLL are as mmfuse/metrics/calibration.py says.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn import metrics as sk

from mmfuse.metrics import areas, calibration, decisions

AVERAGES = ("macro", "micro", "weighted")
OTHERS = ("auroc", "average_precision", *calibration.FIGURES, "balanced_accuracy")


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
    rows = len(target)
    found["auroc"] = class_areas(sk.roc_auc_score, probabilities, target, rows - 1)  # some row is of another class
    found["average_precision"] = class_areas(sk.average_precision_score, probabilities, target, rows)
    found |= calibration.scores(probabilities, target)
    each = sk.precision_recall_fscore_support(target, predicted, labels=labels, average=None, zero_division=0.0)
    found["balanced_accuracy"] = float(each[1][each[3] > 0].mean())
    found["per_class"] = {
        name: dict(zip(classes, map(float, values), strict=True))
        for name, values in zip(("precision", "recall", "f1", "support"), each, strict=True)
    }
    found["confusion"] = sk.confusion_matrix(target, predicted, labels=labels).tolist()  # rows are the true classes
    return found


def unknown(classes: Sequence[str]) -> dict[str, Any]:
    """The figures of no rows at all."""
    names = ("accuracy", *(f"{n}_{a}" for a in AVERAGES for n in ("precision", "recall", "f1")), *OTHERS)
    per_class = {n: dict.fromkeys(classes, float("nan")) for n in ("precision", "recall", "f1")}
    empty = {
        "per_class": per_class | {"support": dict.fromkeys(classes, 0.0)},
        "confusion": [[0] * len(classes)] * len(classes),
    }
    return dict.fromkeys(names, float("nan")) | empty


def class_areas(
    area: Callable[[np.ndarray, np.ndarray], float], probabilities: np.ndarray, target: np.ndarray, most: int
) -> float:
    """The mean of the classes' areas, of those that have from 1 to `most` rows; NaN where none has."""
    wanted = [k for k in range(probabilities.shape[1]) if 0 < (target == k).sum() <= most]
    return float(np.mean([area(target == k, probabilities[:, k]) for k in wanted])) if wanted else float("nan")


def resampled(probabilities: np.ndarray, target: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """The figures of `scores` where row n is taken counts[r, n] times: (R, N) counts -> (R,) each."""
    k = probabilities.shape[1]
    found = decisions.resampled(probabilities.argmax(axis=1), target, counts, k)
    under = areas.resampled(probabilities, np.eye(k, dtype=bool)[target], counts)
    found |= {"auroc": areas.macro(under.auroc), "average_precision": areas.macro(under.average_precision)}
    return found | calibration.resampled(probabilities, target, counts)


def figure(name: str, probabilities: np.ndarray, target: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """One figure of `resampled`. What was decided is counted in a tenth of the time that areas take."""
    if name in OTHERS[:2] or name in calibration.FIGURES:
        return resampled(probabilities, target, counts)[name]
    return decisions.resampled(probabilities.argmax(axis=1), target, counts, probabilities.shape[1])[name]
