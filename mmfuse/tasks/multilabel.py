"""Any number of K labels at once. Trained by binary cross-entropy, scored at a probability of one half."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mmfuse.metrics import multilabel
from mmfuse.tasks.labels import has_label
from mmfuse.types import Task


class Multilabel(Task):
    """Targets are (B, K) of 0 and 1; a row of NaN has no label at all, which is not the same as none of the labels."""

    monitor = "f1_macro"
    headline = ("f1_micro", "f1_macro", "precision_macro", "recall_macro")

    def __init__(self, classes: Sequence[str]):
        if not classes:
            raise ValueError("a multilabel task needs at least one label")
        self.classes, self.size = tuple(classes), len(classes)

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        known = ~target.isnan()
        wanted = target.masked_fill(~known, 0.0)
        losses = F.binary_cross_entropy_with_logits(prediction, wanted, reduction="none").masked_fill(~known, 0.0)
        return losses.sum() / known.sum().clamp(min=1)

    def answer(self, prediction: Tensor) -> np.ndarray:
        return prediction.to(torch.float64).sigmoid().numpy()

    def score(self, answer: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        known = has_label(target)
        return multilabel.scores(answer[known], target[known].astype(bool), self.classes)

    def resampled(self, answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
        known = has_label(target)
        return multilabel.resampled(answer[known], target[known].astype(bool), counts[:, known])

    def recorded(self, answer: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        said = [list(np.array(self.classes)[row > 0.5]) for row in answer]
        true = [
            list(np.array(self.classes)[row > 0.5]) if k else None
            for row, k in zip(target, has_label(target), strict=True)
        ]
        return {"target": true, "predicted": said} | {f"p({c})": answer[:, k] for k, c in enumerate(self.classes)}
