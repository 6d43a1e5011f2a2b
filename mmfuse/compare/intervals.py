"""The interval of a row's figures over all its models, whichever runs they are of."""

from collections.abc import Sequence

import numpy as np

from mmfuse.compare import drawn
from mmfuse.compare.asked import UntestableError, answers, judge_of, samples_of
from mmfuse.compare.folding import Row
from mmfuse.metrics.bootstrap import percentiles


def intervals(row: Row, task: str, metrics: Sequence[str], samples: int | None) -> dict[str, tuple[float, float]]:
    judge = judge_of(row, task, metrics)
    said = answers(row, task)
    if not drawn.same_questions(said, said):
        raise UntestableError("they were not tested on the same rows")
    every: dict[str, list[np.ndarray]] = {}
    for counts in drawn.draws(said, samples_of(row, samples)):
        for name, values in drawn.means(judge, said, counts).items():
            every.setdefault(name, []).append(values)
    return {m: percentiles(np.concatenate(every[m]), 0.95) for m in metrics if m in every}
