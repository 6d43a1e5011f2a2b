"""What is watched while training: every task's validation figures, by name."""

from collections.abc import Mapping

import numpy as np
import torch

from mmfuse.types import Task, Units


def scores(tasks: Mapping[str, Task], units: Mapping[str, Units]) -> dict[str, float]:
    """Every task's figures as "val/<task>/<figure>", the first task's also as "val/<figure>"."""
    found: dict[str, float] = {}
    for number, (name, task) in enumerate(tasks.items()):
        answer, target = task.answer(units[name].prediction), units[name].target.numpy()
        found |= named(name, {k: v for k, v in task.score(answer, target).items() if isinstance(v, float)}, number == 0)
    return found


def named(task: str, figures: Mapping[str, float], first: bool) -> dict[str, float]:
    long = {f"val/{task}/{figure}": value for figure, value in figures.items()}
    return long | ({f"val/{figure}": value for figure, value in figures.items()} if first else {})


def monitors(tasks: Mapping[str, Task], targets: Mapping[str, np.ndarray]) -> list[str]:
    """What there will be to watch: the names of the validation figures, known before anything is trained."""
    none = {}
    for name, task in tasks.items():
        target = targets[name][:0] if targets[name].dtype.kind != "O" else np.empty(0, np.int64)
        none[name] = Units(torch.zeros(0, task.size), torch.from_numpy(target), torch.arange(0))
    return [*scores(tasks, none), "val/loss", *(f"val/loss/task/{name}" for name in tasks)]
