"""Whether two sets of answers to the same questions differ by more than luck.

For accuracy of one run the exact McNemar test (McNemar, 1947, https://doi.org/10.1007/BF02295996): of the rows that
only one of the two has right, how many each has. For every other figure, and for several seeds together, the paired
bootstrap over independent units: both are scored on the same draws, the middle of the differences is the interval, and
p is the share of draws that lie as far from the difference seen as that does from 0 (Berg-Kirkpatrick et al., An
Empirical Investigation of Statistical Significance in NLP, EMNLP 2012, https://aclanthology.org/D12-1091).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from scipy import stats

from mmfuse.metrics.bootstrap import draw, percentiles

POWER = 0.8  # with which a detectable difference would be found


class Scored(NamedTuple):
    """What one run said of one split's units."""

    units: np.ndarray  # (U,) what is drawn: the row, or the group that it is of
    answer: np.ndarray
    target: np.ndarray


@runtime_checkable
class Judge(Protocol):
    """A task, or whatever else scores answers."""

    def figure(self, name: str, answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """One figure of units that are taken counts[r, u] times: (R, U) -> (R,)."""
        ...

    def score(self, answer: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        """Figures by name."""
        ...


class Difference(NamedTuple):
    difference: float  # of the first over the second, in the figure's own terms
    low: float
    high: float
    p: float
    detectable: float  # the smallest true difference that would be found in four cases of five


def differ(
    task: Judge, figure: str, first: Sequence[Scored], second: Sequence[Scored], samples: int, level: float = 0.95
) -> Difference:
    """Runs side by side: the first's with the second's of the same seed and fold, on the same units."""
    for a, b in zip(first, second, strict=True):
        if not np.array_equal(a.units, b.units) or not np.array_equal(a.target, b.target, equal_nan=floats(a.target)):
            raise ValueError("the two were not tested on the same rows")
    seen = mean_score(task, figure, first) - mean_score(task, figure, second)
    drawn = []
    for draws in draw([run.units for run in first], samples):
        both = [
            np.mean([task.figure(figure, r.answer, r.target, d) for d, r in zip(draws, runs, strict=True)], axis=0)
            for runs in (first, second)
        ]
        drawn.append(both[0] - both[1])
    exact = figure == "accuracy" and len(first) == 1 and len(np.unique(first[0].units)) == len(first[0].units)
    return concluded(np.concatenate(drawn), seen, right(first[0], second[0]) if exact else None, level)


def concluded(
    differences: np.ndarray, seen: float, only: tuple[int, int] | None = None, level: float = 0.95
) -> Difference:
    """From (R,) differences on draws and the one seen; `only` the first and only the second right, for McNemar's p."""
    differences = differences[~np.isnan(differences)]
    p = mcnemar(*only) if only else shifted(differences, seen)
    low, high = percentiles(differences, level)
    reach = stats.norm.ppf(1 - (1 - level) / 2) + stats.norm.ppf(POWER)
    return Difference(seen, low, high, p, float(reach * differences.std()) if len(differences) else float("nan"))


def floats(values: np.ndarray) -> bool:
    return values.dtype.kind == "f"


def mean_score(task: Judge, figure: str, runs: Sequence[Scored]) -> float:
    return float(np.mean([task.score(run.answer, run.target)[figure] for run in runs]))


def right(first: Scored, second: Scored) -> tuple[int, int]:
    """How many rows only the first has right, and only the second."""
    known = first.target >= 0
    a, b = (run.answer.argmax(axis=1)[known] == run.target[known] for run in (first, second))
    return int((a & ~b).sum()), int((b & ~a).sum())


def mcnemar(first: int, second: int) -> float:
    """Exact and two-sided, of the rows that only the one, and only the other, has right.

    >>> round(mcnemar(5, 16), 8), mcnemar(0, 0)
    (0.0266037, 1.0)
    """
    if first + second == 0:
        return 1.0
    return float(stats.binomtest(min(first, second), first + second, 0.5).pvalue)


def shifted(differences: np.ndarray, seen: float) -> float:
    """The share of draws, shifted to no difference at all, that are as far from it as what was seen."""
    if not len(differences):
        return float("nan")
    far = np.abs(differences - differences.mean()) >= abs(seen) - 1e-12
    return float((far.sum() + 1) / (len(differences) + 1))


def holm(p: Sequence[float]) -> list[float]:
    """Each p as it counts among all that were asked (Holm, 1979, https://www.jstor.org/stable/4615733).

    >>> [round(value, 3) for value in holm([0.001, 0.02, 0.03, 0.04, 0.2])]
    [0.005, 0.08, 0.09, 0.09, 0.2]
    """
    order = np.argsort(p)
    raised = np.minimum(1, np.maximum.accumulate(np.asarray(p)[order] * np.arange(len(p), 0, -1)))
    found = np.empty(len(p))
    found[order] = raised
    return found.tolist()
