"""Which of two modalities' values belong together: retrieval. No head predicts it; the encoders' codes are compared.

Trained by a symmetric contrastive loss over the batch (Radford et al., CLIP, 2021, https://arxiv.org/abs/2103.00020)
with several positives where rows share an item, averaged as Khosla et al., 2020 (https://arxiv.org/abs/2004.11362, its
L_out), and scored by the rank of the first right value among all values of the split.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmfuse.metrics import retrieval
from mmfuse.types import Task


class Pairs(Task):
    """Targets are (B,) item numbers, equal for rows that belong together (several captions of one picture), or -1.

    Predictions are (B, 2 D): the codes of both modalities, each of length 1, NaN where one is absent.
    """

    monitor = "mrr"
    headline = ("r@1", "r@5", "r@10", "mrr")
    size = 0  # there is no head

    def __init__(self, between: Sequence[str], temperature: float = 0.07):
        if len(set(between)) != 2 or len(between) != 2:
            raise ValueError(f"between={list(between)}: two modalities are needed, such as [image, text]")
        if temperature <= 0:
            raise ValueError(f"temperature={temperature}: more than 0 is needed")
        self.between, self.temperature = tuple(between), temperature

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        known = (target >= 0) & ~prediction.isnan().any(dim=1)
        codes, items = prediction[known], target[known]  # (P, 2 D), (P,)
        if len(items) < 2:
            return prediction.new_zeros(()) + 0.0 * codes.sum()
        a, b = codes.chunk(2, dim=1)  # (P, D) each
        scores = a @ b.T / self.temperature  # (P, P)
        same = (items[:, None] == items).to(scores.dtype)
        return (from_each(scores, same) + from_each(scores.T, same)) / 2

    def answer(self, prediction: Tensor) -> np.ndarray:
        return prediction.to(torch.float32).numpy()

    def score(self, answer: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        return retrieval.scores(self.ranks(answer, target), self.between)

    def resampled(self, answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
        return retrieval.resampled(self.ranks(answer, target), self.between, counts)

    def recorded(self, answer: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        a, b = self.between
        forth, back = self.ranks(answer, target)
        return {"item": target, f"rank({a} to {b})": forth.rank, f"rank({b} to {a})": back.rank}

    def ranks(self, answer: np.ndarray, target: np.ndarray) -> tuple[retrieval.Ranks, retrieval.Ranks]:
        """Of the first modality's values asking for the second's, and the other way."""
        a, b = np.split(answer, 2, axis=1)  # (N, D) each
        return retrieval.ranks(a, b, target), retrieval.ranks(b, a, target)


def from_each(scores: Tensor, same: Tensor) -> Tensor:
    """The mean over rows of their right columns' mean negative log-probability: (P, P), (P, P) -> ()."""
    return -((scores.log_softmax(dim=1) * same).sum(dim=1) / same.sum(dim=1)).mean()
