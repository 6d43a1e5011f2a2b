"""What is watched while training: every task's validation figures, by name."""

from collections.abc import Mapping

import numpy as np
import torch

from mmfuse.types import Predictions, Task


def scores(tasks: Mapping[str, Task], predictions: Predictions, targets: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Every task's figures as "val/<task>/<figure>", the first task's also as "val/<figure>"."""
    found: dict[str, float] = {}
    for number, (name, task) in enumerate(tasks.items()):
        for figure, value in task.score(task.answer(predictions[name]), targets[name]).items():
            if isinstance(value, float):
                found |= {f"val/{name}/{figure}": value} | ({f"val/{figure}": value} if number == 0 else {})
    return found


def monitors(tasks: Mapping[str, Task], targets: Mapping[str, np.ndarray]) -> list[str]:
    """What there will be to watch: the names of the validation figures, known before anything is trained."""
    blank = {name: torch.zeros(len(targets[name]), task.size) for name, task in tasks.items()}
    return [*scores(tasks, blank, targets), "val/loss", *(f"val/loss/task/{name}" for name in tasks)]
