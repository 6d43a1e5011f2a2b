"""What each setting's values go with: the mean of a figure over the rows that have the value, whatever else they have.

This describes the runs that there are. It is no test: where settings were not all tried with each other, what one seems
to do may be another's doing. Intervals are percentiles of the bootstrap over rows, 95 %.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmfuse.compare.ordering import natural
from mmfuse.compare.table import Line, Table
from mmfuse.metrics.bootstrap import percentiles

SAMPLES = 2000
MOST = 12  # values of one setting; more are rather an axis than a choice


class Effect(NamedTuple):
    setting: str
    value: str
    rows: int
    mean: float
    low: float | None  # None of one row
    high: float | None


def effects(columns: Sequence[str], lines: Sequence[Line], metric: str) -> list[Effect]:
    found = []
    for place, setting in enumerate(columns):
        values = sorted({line.settings[place] for line in lines}, key=natural)
        if not 2 <= len(values) <= MOST:
            continue
        for value in values:
            means = [known(line, metric) for line in lines if line.settings[place] == value]
            found.append(Effect(setting, value, len(means), float(np.mean(means)), *interval(means)))
    return found


def comparable(table: Table, metric: str) -> list[Line]:
    """The lines with this figure that were tested on the same rows: those of the data that most lines are on."""
    there = [line for line in table.lines if metric in line.figures and line.figures[metric].mean is not None]
    letters = [line.data for line in there]
    return [line for line in there if line.data == max(letters, key=letters.count)]


def known(line: Line, metric: str) -> float:
    mean = line.figures[metric].mean
    return float("nan") if mean is None else mean


def interval(means: Sequence[float]) -> tuple[float | None, float | None]:
    if len(means) < 2:
        return None, None
    draws = np.random.default_rng(0).integers(len(means), size=(SAMPLES, len(means)))
    return percentiles(np.asarray(means)[draws].mean(axis=1), 0.95)
