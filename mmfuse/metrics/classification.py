"""Scores of single-label classification: scikit-learn's, with the classes fixed by the data set.

They come from one count of the rows, as those of the bootstrap do, for they are asked for at every epoch's end:
scikit-learn looks at its input anew for every figure and class, which takes longer than a small model trains.

A class that nobody predicts has precision 0, one without rows recall 0 (`zero_division=0`), and both count in macro
averages; balanced accuracy is the mean recall of the classes that have rows. AUROC is one-versus-rest, averaged over
the classes that have both positives and negatives; average precision likewise over the classes that have positives. The
classes that are skipped are those whose "support" is 0. ECE, Brier and NLL are as mmfuse/metrics/calibration.py says.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmfuse.metrics import areas, calibration, decisions

AVERAGES = ("macro", "micro", "weighted")
OTHERS = ("auroc", "average_precision", *calibration.FIGURES, "balanced_accuracy")
NAMES = ("accuracy", *(f"{n}_{a}" for a in AVERAGES for n in ("precision", "recall", "f1")), *OTHERS)


def scores(probabilities: np.ndarray, target: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """(N, K) probabilities and (N,) class numbers -> figures by name, "per_class" and "confusion" among them."""
    if not len(target):
        return unknown(classes)
    predicted, k, each = probabilities.argmax(axis=1), len(classes), np.ones((1, len(target)))
    found = {name: float(value[0]) for name, value in decisions.resampled(predicted, target, each, k).items()}
    under = areas.once(probabilities, np.eye(k, dtype=bool)[target])
    found |= {name: float(areas.macro(area)[0]) for name, area in under._asdict().items()}
    found |= calibration.scores(probabilities, target)
    confusion = np.bincount(target * k + predicted, minlength=k * k).reshape(k, k)  # rows are the true classes
    return {name: found[name] for name in NAMES} | by_class(confusion, classes)


def by_class(confusion: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    right, support, claimed = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)  # (K,) each
    figures = {
        "precision": right / claimed.clip(min=1),
        "recall": right / support.clip(min=1),
        "f1": 2 * right / (support + claimed).clip(min=1),
        "support": support.astype(np.float64),
    }
    per_class = {name: dict(zip(classes, values.tolist(), strict=True)) for name, values in figures.items()}
    return {"per_class": per_class, "confusion": confusion.tolist()}


def unknown(classes: Sequence[str]) -> dict[str, Any]:
    """The figures of no rows at all."""
    per_class = {n: dict.fromkeys(classes, float("nan")) for n in ("precision", "recall", "f1")}
    empty = {
        "per_class": per_class | {"support": dict.fromkeys(classes, 0.0)},
        "confusion": [[0] * len(classes)] * len(classes),
    }
    return dict.fromkeys(NAMES, float("nan")) | empty


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
