"""One of K classes. Trained by cross-entropy, scored as scikit-learn scores.

Label smoothing e takes 1 - e of the true class's share and e / K of each class's (Szegedy et al. 2016,
https://arxiv.org/abs/1512.00567), as torch does it. Two other losses are for classes of unequal size: cross-entropy
with a weight for each class, as torch normalises it, and the focal loss, -(1 - p)^gamma log p of the true class's
probability p (Lin et al. 2017, https://arxiv.org/abs/1708.02002).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mmfuse.metrics import classification
from mmfuse.types import Task


class Multiclass(Task):
    monitor = "f1_macro"
    headline = ("accuracy", "precision_macro", "recall_macro", "f1_macro")

    def __init__(
        self, classes: Sequence[str], weights: Sequence[float] | None = None, gamma: float = 0.0, smoothing: float = 0.0
    ):
        """`weights` is one a class, None for all 1; `gamma` 0 is cross-entropy, more heeds what is learned less."""
        if len(classes) < 2:
            raise ValueError(f"a classification needs at least two classes, but there is {list(classes)}")
        if weights is not None and (len(weights) != len(classes) or min(weights) <= 0):
            raise ValueError(f"weights={list(weights)}: one above 0 is needed for each of {len(classes)} classes")
        if gamma < 0:
            raise ValueError(f"gamma={gamma}: at least 0 is needed")
        if not 0 <= smoothing < 1 or (smoothing and gamma):
            raise ValueError(f"smoothing={smoothing}: from 0, under 1, and not with the focal loss (gamma={gamma})")
        self.classes, self.size = tuple(classes), len(classes)
        self.weights, self.gamma, self.smoothing = weights, gamma, smoothing

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """A mean over the rows that have a label, by their weights; 0 where none has, of which torch's own is NaN."""
        weights = None if self.weights is None else prediction.new_tensor(self.weights)
        known = target >= 0
        share = known if weights is None else weights[target.clamp(min=0)] * known  # (B,)
        if self.gamma:
            each = F.cross_entropy(prediction, target, ignore_index=-1, reduction="none")  # (B,) -log p, 0 if unknown
            each = (-torch.expm1(-each)).clamp(min=1e-12) ** self.gamma * each  # no slope without end at p = 1
            total = (each * share).sum()
        else:
            total = F.cross_entropy(
                prediction, target, weights, ignore_index=-1, reduction="sum", label_smoothing=self.smoothing
            )
        return total / share.sum(dtype=total.dtype).clamp(min=1e-12)

    def answer(self, prediction: Tensor) -> np.ndarray:
        return prediction.to(torch.float64).softmax(dim=1).numpy()

    def score(self, answer: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        known = target >= 0
        return classification.scores(answer[known], target[known], self.classes)

    def resampled(self, answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
        known = target >= 0
        if known.all():
            return classification.resampled(answer, target, counts)
        return classification.resampled(answer[known], target[known], counts[:, known])

    def figure(self, name: str, answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> np.ndarray:
        known = target >= 0
        return classification.figure(name, answer[known], target[known], counts[:, known])

    def recorded(self, answer: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        names = self.classes
        said = {
            "target": [names[k] if k >= 0 else None for k in target],
            "predicted": [names[k] for k in answer.argmax(1)],
        }
        return said | {f"p({name})": answer[:, k] for k, name in enumerate(names)}
