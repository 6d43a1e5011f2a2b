"""Figures of what was decided, one class a row, over many samples of the rows at once.

scikit-learn scores one sample at a time; here every sample's counts come from one matrix product. A test holds each
figure to scikit-learn's, sample by sample.
"""

import numpy as np

from mmfuse.metrics.areas import share


def resampled(decided: np.ndarray, target: np.ndarray, counts: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """(N,) and (N,) class numbers, where row n is taken counts[r, n] times: (R, N) counts -> (R,) each."""
    counts = counts.astype(np.float64, copy=False)
    one = np.eye(classes)
    positives = counts @ one[target]  # (R, K): rows of each class
    claimed = counts @ one[decided]  # (R, K): rows said to be of it
    right = counts @ (one[target] * (target == decided)[:, None])  # (R, K)
    n = positives.sum(axis=1)  # (R,)
    n = np.where(n > 0, n, np.nan)
    precision, recall = right / claimed.clip(min=1), right / positives.clip(min=1)
    f1 = 2 * right / (positives + claimed).clip(min=1)
    accuracy = right.sum(axis=1) / n
    there = (positives > 0).sum(axis=1).astype(np.float64)  # (R,): classes that have rows
    found = {"accuracy": accuracy, "balanced_accuracy": share(recall.sum(axis=1), there)}
    for name, each in (("precision", precision), ("recall", recall), ("f1", f1)):
        found |= {
            f"{name}_macro": np.where(n > 0, each.mean(axis=1), np.nan),
            f"{name}_micro": accuracy,  # every row has one class and one guess, so all three are the accuracy
            f"{name}_weighted": (each * positives).sum(axis=1) / n,
        }
    return found
