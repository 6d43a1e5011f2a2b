"""Scores of a regression: mean absolute error (scikit-learn) and Pearson's correlation (scipy)."""

from typing import Any

import numpy as np
from scipy import stats
from sklearn import metrics as sk


def scores(answer: np.ndarray, target: np.ndarray) -> dict[str, Any]:
    """(N,) and (N,) -> mae in the target's unit, and pearson, which is NaN where either is constant."""
    if not len(target):
        return {"mae": float("nan"), "pearson": float("nan")}
    varied = len(target) > 1 and np.ptp(answer) > 0 and np.ptp(target) > 0
    return {
        "mae": float(sk.mean_absolute_error(target, answer)),
        "pearson": float(stats.pearsonr(answer, target).statistic) if varied else float("nan"),
    }


def resampled(answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """The figures of `scores` where row n is taken counts[r, n] times: (R, N) counts -> (R,) each."""
    drawn = counts.sum(axis=1)  # (R,)
    n = drawn.clip(min=1)
    x, y = standardised(answer), standardised(target)  # first, for precision
    mx, my = counts @ x / n, counts @ y / n
    covariance = counts @ (x * y) / n - mx * my
    variances = (counts @ x**2 / n - mx**2) * (counts @ y**2 / n - my**2)
    pearson = np.divide(
        covariance, np.sqrt(variances.clip(min=0)), out=np.full(len(n), np.nan), where=variances > 1e-24
    )
    return {"mae": np.where(drawn > 0, counts @ np.abs(answer - target) / n, np.nan), "pearson": pearson}


def standardised(values: np.ndarray) -> np.ndarray:
    centred = values.astype(np.float64) - (values.mean(dtype=np.float64) if len(values) else 0.0)
    return centred / ((centred.std() if len(values) else 0.0) or 1.0)
