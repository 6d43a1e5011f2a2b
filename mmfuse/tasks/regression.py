"""A number. Trained by the mean absolute error of the standardised target, scored in the target's own unit."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mmfuse.metrics import regression
from mmfuse.types import Task


class Regression(Task):
    """`mean` and `std` are the target's over the training rows, so that its loss is of the size of other losses.

    A head then predicts in standard deviations; `answer` is in the target's unit again.
    """

    monitor = "mae"
    headline = ("mae", "pearson")
    size = 1

    def __init__(self, mean: float = 0.0, std: float = 1.0):
        self.mean, self.std = mean, std

    def fitted(self, target: np.ndarray) -> "Regression":
        known = target[~np.isnan(target)]
        if not len(known):
            return self
        return type(self)(float(known.mean()), float(known.std()) or 1.0)

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        known = ~target.isnan()
        wanted = ((target - self.mean) / self.std).masked_fill(~known, 0.0)
        errors = F.l1_loss(prediction[:, 0], wanted, reduction="none").masked_fill(~known, 0.0)
        return errors.sum() / known.sum().clamp(min=1)

    def answer(self, prediction: Tensor) -> np.ndarray:
        return prediction[:, 0].to(torch.float64).numpy() * self.std + self.mean

    def score(self, answer: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        known = ~np.isnan(target)
        return regression.scores(answer[known], target[known])

    def skill(self, figures: Mapping[str, Any], target: np.ndarray) -> float:
        """The share of the error that is left out of what the best constant has: 1 - MAE / mean |y - median y|.

        >>> Regression().skill({"mae": 0.5}, np.array([0.0, 1.0, 2.0, np.nan]))
        0.25
        """
        known = target[~np.isnan(target)]
        constant = float(np.abs(known - np.median(known)).mean()) if len(known) else 0.0
        return 1 - figures["mae"] / constant if constant else float("nan")

    def resampled(self, answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
        known = ~np.isnan(target)
        return regression.resampled(answer[known], target[known], counts[:, known])

    def recorded(self, answer: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        return {"target": target, "predicted": answer}
