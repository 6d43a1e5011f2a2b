"""Scores of sentiment from -3 to 3, as CMU-MOSI and CMU-MOSEI are reported (Zadeh et al., 2016, 2018).

Papers print an "Acc-2" of two kinds, and mean either. Of `acc2_has0` and `f1_has0` a row is negative or not: y >= 0
over all rows, neutral ones being on the side of the positive. Of `acc2_non0` and `f1_non0` it is negative or positive:
y > 0 over the rows whose label is not 0. A table's "a/b" is has0/non0. Both F1 are scikit-learn's weighted one with the
labels as truth; some published code has truth and prediction the other way round, which gives another number.

Acc-7 and Acc-5 are the share of rows where label and prediction, clipped to [-3, 3] and to [-2, 2], are rounded to the
same whole number; halves go to the even one, as numpy has it.
"""

from typing import NamedTuple

import numpy as np
from sklearn import metrics as sk

from mmfuse.metrics import decisions

LIMIT = 3.0  # the scale ends there
REACH = {"acc5": 2, "acc7": 3}  # what is clipped to, on both sides
FIGURES = ("acc2_has0", "f1_has0", "acc2_non0", "f1_non0", *REACH)


class Sides(NamedTuple):
    """What two classes are made of."""

    rows: np.ndarray  # (N,) bool: those that count
    said: np.ndarray  # (N,) 0 or 1
    true: np.ndarray  # (N,) 0 or 1


def scores(answer: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """(N,) and (N,) on the scale -> figures by name; NaN where no row counts."""
    found = dict.fromkeys(FIGURES, float("nan"))
    for name, (rows, said, true) in sides(answer, target).items():
        if rows.any():
            found[f"acc2_{name}"] = float(sk.accuracy_score(true[rows], said[rows]))
            found[f"f1_{name}"] = float(sk.f1_score(true[rows], said[rows], average="weighted", zero_division=0.0))
    if len(target):
        found |= {name: float(each.mean()) for name, each in same(answer, target).items()}
    return found


def resampled(answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """The figures of `scores` where row n is taken counts[r, n] times: (R, N) counts -> (R,) each."""
    found: dict[str, np.ndarray] = {}
    for name, (rows, said, true) in sides(answer, target).items():
        figures = decisions.resampled(said[rows], true[rows], counts[:, rows], 2)
        found |= {f"acc2_{name}": figures["accuracy"], f"f1_{name}": figures["f1_weighted"]}
    n = counts.sum(axis=1)  # (R,)
    n = np.where(n > 0, n, np.nan)
    return found | {name: counts @ each.astype(np.float64) / n for name, each in same(answer, target).items()}


def sides(answer: np.ndarray, target: np.ndarray) -> dict[str, Sides]:
    everywhere = np.ones(len(target), dtype=bool)
    return {
        "has0": Sides(everywhere, (answer >= 0).astype(np.int64), (target >= 0).astype(np.int64)),
        "non0": Sides(target != 0, (answer > 0).astype(np.int64), (target > 0).astype(np.int64)),
    }


def same(answer: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
    """Whether both are rounded to the same whole number, (N,) each."""
    return {n: np.round(answer.clip(-most, most)) == np.round(target.clip(-most, most)) for n, most in REACH.items()}
