"""From the answers of every seed and fold to one table of figures."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from mmfuse.metrics.bootstrap import intervals, mean_std
from mmfuse.types import Task


class Answers(NamedTuple):
    """What one trained model said of one split."""

    rows: Mapping[str, np.ndarray]  # by task: (U,) the row of the data set that each unit is of
    answers: Mapping[str, np.ndarray]  # by task: (U, K) probabilities or (U,) values
    targets: Mapping[str, np.ndarray]  # by task: (U,) or (U, C)
    groups: Mapping[str, np.ndarray] = MappingProxyType({})  # by task: (U,) the group of each unit's row, if it has one

    def independent(self, task: str) -> np.ndarray:
        """(U,) what of the units is independent of the rest, and drawn as a whole: their groups, else their rows."""
        return self.groups.get(task, self.rows[task])


def summarise(task: Task, name: str, runs: Sequence[Answers], samples: int) -> dict[str, Any]:
    """Of each figure: mean, sample deviation, bootstrap interval ("ci95") and every run's value.

    "per_class" holds the same without intervals, class by class; "confusion" one matrix a run.
    """
    scores = [task.score(run.answers[name], run.targets[name]) for run in runs]
    bounds = intervals(task, [(run.independent(name), run.answers[name], run.targets[name]) for run in runs], samples)
    table: dict[str, Any] = {}
    for figure, first in scores[0].items():
        values = [score[figure] for score in scores]
        if figure == "per_class":
            table[figure] = {
                f: {c: {**mean_std(each := [v[f][c] for v in values]), "values": each} for c in first[f]} for f in first
            }
        elif figure == "confusion":
            table[figure] = {"values": values}
        else:
            table[figure] = {**mean_std(values), "ci95": list(bounds[figure]), "values": values}
    return table
