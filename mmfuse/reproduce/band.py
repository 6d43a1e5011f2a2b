"""Whether a figure is the published one, within what seeds and the size of the test set leave open.

A band lies around the published figure: twice the deviation over seeds, and at least 1.5 points where fewer than 1,000
rows are tested, or 0.03 of a mean absolute error; a table may give another least width.

FAIL: below what guessing reaches, however wide the band; or outside the band, by more than the test set's size tells.
PASS: inside the band, over at least five seeds.
UNDERPOWERED: neither can be said. There are fewer seeds; or the figure is outside the band, but by less than 1.96
standard errors of a test set of that size; or the band is so wide that guessing would be inside.
"""

import math
import statistics
from collections.abc import Sequence
from typing import Literal, NamedTuple

from mmfuse.reproduce.figures import Figure

Verdict = Literal["PASS", "FAIL", "UNDERPOWERED"]
SEEDS = 5  # fewer tell too little of their own spread
SMALL = 1000  # test rows; below that, POINTS are allowed
POINTS = 1.5
NORMAL = 1.96  # standard errors, of which 95 % of all samples are within


class Judged(NamedTuple):
    verdict: Verdict
    why: str
    difference: float  # ours less the published one
    tolerance: float


def judge(
    values: Sequence[float],
    published: float,
    figure: Figure,
    rows: int,
    floor: float | None,
    error: float | None,
    tolerance: float | None = None,
    seeds: int | None = None,
) -> Judged:
    """Everything as the table writes it: shares in points. `values` are of seeds, or of seeds and folds.

    >>> from mmfuse.reproduce.figures import FIGURES
    >>> judge([79.0, 79.5, 80.0, 80.5, 81.0], 80.3, FIGURES["accuracy"], 752, 62.1, 1.45).verdict
    'PASS'
    """
    seeds = len(values) if seeds is None else seeds
    mean = statistics.fmean(values)
    width = band(values, figure, rows, tolerance)
    gap = mean - published

    def said(verdict: Verdict, why: str) -> Judged:
        return Judged(verdict, why, gap, width)

    if math.isnan(mean):
        return said("FAIL", "it is not a number")
    if floor is not None and worse(mean, floor, figure):
        alike = ", as the published figure is" if worse(published, floor, figure) else ""
        return said("FAIL", f"worse than the floor, {floor:g}{alike}")
    if seeds < SEEDS:
        return said("UNDERPOWERED", f"{seeds} seed{'s' * (seeds != 1)}; the rule asks for {SEEDS}")
    if abs(gap) > width:
        if error is not None and abs(gap) <= NORMAL * error:
            return said("UNDERPOWERED", f"outside the band, but within {NORMAL} standard errors of {rows} test rows")
        return said("FAIL", "worse than the band" if worse(mean, published, figure) else "better than the band")
    lowest = published + width if figure.less else published - width
    if floor is not None and not worse(floor, lowest, figure):
        return said("UNDERPOWERED", f"the band reaches the floor, {floor:g}")
    return said("PASS", "inside the band")


def band(values: Sequence[float], figure: Figure, rows: int, tolerance: float | None) -> float:
    """Half its width."""
    known = [value for value in values if not math.isnan(value)]
    spread = statistics.stdev(known) if len(known) > 1 else 0.0
    least = POINTS if figure.share and rows < SMALL else figure.slack
    return max(2 * spread, least if tolerance is None else tolerance)


def worse(one: float, other: float, figure: Figure) -> bool:
    return one > other if figure.less else one < other


def standard_error(figure: Figure, published: float, rows: int, interval: Sequence[float] | None) -> float | None:
    """Of a share of so many rows by the binomial distribution; of other figures by their bootstrap interval.

    >>> from mmfuse.reproduce.figures import FIGURES
    >>> round(standard_error(FIGURES["accuracy"], 78.0, 686, None), 1)
    1.6
    """
    if figure.counted and 0 <= published <= 100:
        return math.sqrt(published * (100 - published) / rows)
    if interval is None or not all(math.isfinite(bound) for bound in interval):
        return None
    return (interval[1] - interval[0]) / (2 * NORMAL)
