"""Of a figure over rising levels of noise or missing values: its mean height, its drop, its robustness.

Relative robustness is the mean height. Effective robustness is what is left once a late fusion's own fall is allowed
for, and where it started: the mean over levels x above the first, of n, of f(x) - (l(x) + f(0) - l(0)) for the figure f
and the late fusion's l (Liang et al., MultiBench, 2021, https://arxiv.org/abs/2107.07502, who take the sum and scale it
by their other methods'; Taori et al., 2020, https://arxiv.org/abs/2007.00644). Above 0 it falls less than late fusion.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.integrate import trapezoid

from mmfuse.metrics.bootstrap import mean_std


def area(values: Sequence[float] | np.ndarray, at: Sequence[float]) -> float:
    """The curve's mean height, by the trapezoid rule.

    >>> area([1.0, 0.5, 0.0], [0.0, 0.5, 1.0])
    0.5
    """
    return float(trapezoid(values, at)) / (at[-1] - at[0])


def summary(heights: np.ndarray, at: Sequence[float]) -> dict[str, Any]:
    """Of (P, R, K) figures: K draws of chance at R levels, of P trained models.

    "std" is the models' sample deviation, of means over draws; of a single model, the draws'. "drop" is how far the
    mean height is from the start.
    """
    first = heights[:, :, 0]  # (P, R)
    means = first + (heights - first[:, :, None]).mean(axis=2)  # where all draws are alike, what they are exactly
    each = [mean_std(column.tolist()) for column in (means.T if len(means) > 1 else heights[0])]
    values = [float(mean_std(column.tolist())["mean"]) for column in means.T]
    height = area(values, at)
    return {"values": values, "std": [about["std"] for about in each], "area": height, "drop": values[0] - height}


def effective(ours: Sequence[float], late: Sequence[float], more_is_better: bool) -> float:
    """
    >>> effective([1.0, 0.75, 0.5], [0.75, 0.25, 0.0], True)
    0.25
    """
    ours_, late_ = np.asarray(ours), np.asarray(late)
    beyond = (ours_ - ours_[0]) - (late_ - late_[0])  # (R,)
    return float(beyond[1:].mean()) * (1 if more_is_better else -1)
