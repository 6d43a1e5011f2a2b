"""One of K classes. Trained by cross-entropy, scored as scikit-learn scores."""

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

    def __init__(self, classes: Sequence[str]):
        if len(classes) < 2:
            raise ValueError(f"a classification needs at least two classes, but there is {list(classes)}")
        self.classes, self.size = tuple(classes), len(classes)

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        total = F.cross_entropy(prediction, target, ignore_index=-1, reduction="sum")
        return total / (target >= 0).sum().clamp(min=1)  # torch's own mean is NaN where no example has a label

    def answer(self, prediction: Tensor) -> np.ndarray:
        return prediction.to(torch.float64).softmax(dim=1).numpy()

    def score(self, answer: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        known = target >= 0
        return classification.scores(answer[known], target[known], self.classes)

    def resampled(self, answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
        known = target >= 0
        return classification.resampled(answer[known], target[known], counts[:, known])

    def recorded(self, answer: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        names = self.classes
        said = {
            "target": [names[k] if k >= 0 else None for k in target],
            "predicted": [names[k] for k in answer.argmax(1)],
        }
        return said | {f"p({name})": answer[:, k] for k, name in enumerate(names)}
