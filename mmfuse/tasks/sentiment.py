"""Sentiment from -3 to 3: a number that is also scored as classes, in every way that papers report it.

Trained as any number is. What a paper calls Acc-2 may be either of two figures: see mmfuse/metrics/sentiment.py.
"""

from typing import Any

import numpy as np

from mmfuse.metrics import sentiment
from mmfuse.tasks.regression import Regression


class Sentiment(Regression):
    def score(self, answer: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        known = ~np.isnan(target)
        return super().score(answer, target) | sentiment.scores(answer[known], target[known])

    def resampled(self, answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
        known = ~np.isnan(target)
        figures = sentiment.resampled(answer[known], target[known], counts[:, known])
        return super().resampled(answer, target, counts) | figures
