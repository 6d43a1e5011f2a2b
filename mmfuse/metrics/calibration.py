"""Whether probabilities are to be believed: of what is said at 80 %, 80 % should be so.

ECE, the expected calibration error (Naeini et al., 2015; Guo et al., 2017, https://arxiv.org/abs/1706.04599), is of the
top label: rows are put by the probability of what they are said to be into 15 bins of equal width, each (l, r], and
|share that is right - mean probability| is averaged over rows. Brier's score is the sum over classes of (p - y)^2,
averaged over rows, so from 0 to 2 (Brier, 1950); for two classes scikit-learn's is half of it. NLL is -log p of the
true class, in nats, averaged over rows, with p at least 2.2e-16, as in scikit-learn's log_loss.

Of all three less is better. ECE leans upwards where rows are few, for a bin of few rows is seldom exactly right; drawn
rows hold fewer different ones and lean more, so that a bootstrap interval of a small ECE may lie above the ECE itself.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_softmax, softmax

from mmfuse.metrics.areas import share

BINS = 15
FIGURES = ("ece", "brier", "nll")
LOWEST, HIGHEST = 0.01, 100.0  # temperatures


class Reliability(NamedTuple):
    """Of each bin of confidence, (BINS,) each; NaN where a bin has no row."""

    rows: np.ndarray
    confidence: np.ndarray  # the mean probability of what was said
    accuracy: np.ndarray


def scores(probabilities: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """(N, K) probabilities and (N,) class numbers -> figures by name."""
    if not len(target):
        return dict.fromkeys(FIGURES, float("nan"))
    return {"ece": ece(probabilities, target)} | {
        name: float(each.mean()) for name, each in losses(probabilities, target).items()
    }


def ece(probabilities: np.ndarray, target: np.ndarray) -> float:
    found = reliability(probabilities, target)
    gaps = np.abs(found.accuracy - found.confidence)[found.rows > 0]
    return float(np.average(gaps, weights=found.rows[found.rows > 0]))


def reliability(probabilities: np.ndarray, target: np.ndarray) -> Reliability:
    confidence, right, place = top(probabilities, target)
    rows, said, true = (np.bincount(place, w, BINS) for w in (None, confidence, right))
    return Reliability(rows, share(said, rows), share(true, rows))


def top(probabilities: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N,) each: the top label's probability, whether it is right, and the bin; an edge is of the bin below it."""
    confidence = probabilities.max(axis=1)
    place = np.searchsorted(np.arange(1, BINS) / BINS, confidence, side="left")
    return confidence, probabilities.argmax(axis=1) == target, place


def losses(probabilities: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
    """Row by row, (N,) each."""
    true = probabilities[np.arange(len(target)), target]
    return {
        "brier": (probabilities**2).sum(axis=1) + 1 - 2 * true,
        "nll": -np.log(true.clip(min=np.finfo(np.float64).eps)),
    }


def resampled(probabilities: np.ndarray, target: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """The figures of `scores` where row n is taken counts[r, n] times: (R, N) counts -> (R,) each."""
    counts = counts.astype(np.float64, copy=False)
    n = counts.sum(axis=1)  # (R,)
    n = np.where(n > 0, n, np.nan)
    confidence, right, place = top(probabilities, target)
    gaps = np.eye(BINS)[place] * (right - confidence)[:, None]  # (N, bins): a bin's rows add up to n_b (acc - conf)
    found = {"ece": np.abs(counts @ gaps).sum(axis=1) / n}
    return found | {name: counts @ each / n for name, each in losses(probabilities, target).items()}


def temperature(probabilities: np.ndarray, target: np.ndarray) -> float:
    """The T > 0 by which logits are to be divided so that the NLL of these rows is least (Guo et al., section 4.2).

    To be fitted on validation rows only. Log-probabilities are logits up to a number a row, which does not matter. The
    NLL is convex in 1 / T, so that its one slope of 0 is looked for; where all is right, or nothing is known, there is
    none, and T is the nearest of 0.01 to 100. NaN without rows.
    """
    if not len(target):
        return float("nan")
    logits = logs(probabilities)
    true = logits[np.arange(len(target)), target]

    def slope(inverse: float) -> float:
        """Of the NLL in 1 / T: what the logits are expected to be, less what they are."""
        return float(((softmax(inverse * logits, axis=1) * logits).sum(axis=1) - true).mean())

    if slope(1 / HIGHEST) >= 0:
        return HIGHEST
    if slope(1 / LOWEST) <= 0:
        return LOWEST
    return float(1 / brentq(slope, 1 / HIGHEST, 1 / LOWEST))


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """What they would be had the logits been divided by the temperature: (N, K) -> (N, K).

    >>> tempered(np.array([[0.8, 0.2]]), 2.0).round(4).tolist()
    [[0.6667, 0.3333]]
    """
    return np.exp(log_softmax(logs(probabilities) / temperature, axis=1))


def logs(probabilities: np.ndarray) -> np.ndarray:
    return np.log(probabilities.astype(np.float64).clip(min=np.finfo(np.float64).tiny))
