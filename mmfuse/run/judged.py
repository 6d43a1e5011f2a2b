"""From what a model predicted to what can be judged: answers beside targets, and of what rows they are."""

from collections.abc import Mapping, Sequence

import numpy as np

from mmfuse.metrics.summary import Answers
from mmfuse.types import Task, Units


def judged(tasks: Mapping[str, Task], said: Mapping[str, Units], groups: Sequence | np.ndarray | None) -> Answers:
    """`groups` has one of each row of the data set, if it has any; what a missing one is, the data set has said."""
    rows = {t: said[t].place.numpy() for t in tasks}
    numbers = None if groups is None else numbered(groups)
    return Answers(
        rows,
        {t: task.answer(said[t].prediction) for t, task in tasks.items()},
        {t: said[t].target.numpy() for t in tasks},
        {} if numbers is None else {t: numbers[of] for t, of in rows.items()},
    )


def numbered(groups: Sequence | np.ndarray) -> np.ndarray:
    """(N,) names to (N,) numbers.

    >>> numbered(["b", "a", "b"]).tolist()
    [1, 0, 1]
    """
    return np.unique(np.asarray(groups), return_inverse=True)[1]
