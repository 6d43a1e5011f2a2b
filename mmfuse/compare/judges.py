"""What scores answers, by the kind of task that a run's tasks.json names: the tasks' own figures, without torch.

Importing torch takes longer than comparing a hundred runs. Only what is asked for is computed, for areas under curves
cost far more than shares do.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import numpy as np

from mmfuse.metrics import calibration, classification, decisions, multilabel, regression, retrieval, sentiment
from mmfuse.tasks.labels import has_label

AREAS = ("auroc", "average_precision")
Figures = dict[str, np.ndarray]  # (R,) each


class Judge:
    """Figures of (U, K) or (U,) answers and their targets, where unit n is taken counts[r, n] times."""

    def __init__(self, figures: Callable[[np.ndarray, np.ndarray, np.ndarray], Figures]):
        self.figures = figures

    def resampled(self, answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> Figures:
        known = has_label(target)
        return self.figures(answer[known], target[known], counts[:, known])

    def score(self, answer: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        """The same of each unit once."""
        return {
            name: float(value[0]) for name, value in self.resampled(answer, target, np.ones((1, len(target)))).items()
        }


def judge(about: Mapping[str, Any], wanted: Collection[str]) -> Judge | None:
    """Of what tasks.json says of a task; None where it is of a kind that somebody made for themselves."""
    if about["kind"] == "Pairs":
        return Pairs(about["between"])
    kinds: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Figures]] = {
        "Multiclass": partial(of_classes, wanted),
        "Tokens": partial(of_classes, wanted),
        "Multilabel": of_labels,
        "Regression": regression.resampled,
        "Sentiment": of_sentiment,
    }
    return Judge(kinds[about["kind"]]) if about["kind"] in kinds else None


def of_classes(wanted: Collection[str], answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> Figures:
    if any(name in AREAS for name in wanted):
        return classification.resampled(answer, target, counts)
    found = decisions.resampled(answer.argmax(axis=1), target, counts, answer.shape[1])
    if any(name in calibration.FIGURES for name in wanted):
        found |= calibration.resampled(answer, target, counts)
    return found


def of_labels(answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> Figures:
    return multilabel.resampled(answer, target.astype(bool), counts)


def of_sentiment(answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> Figures:
    return regression.resampled(answer, target, counts) | sentiment.resampled(answer, target, counts)


class Pairs(Judge):
    """Codes of two modalities are ranked in the whole gallery, whichever queries are drawn."""

    def __init__(self, between: Collection[str]):
        self.between = tuple(between)

    def resampled(self, answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> Figures:
        a, b = np.split(answer, 2, axis=1)  # (N, D) each
        found = retrieval.ranks(a, b, target), retrieval.ranks(b, a, target)
        return retrieval.resampled(found, self.between, counts)
