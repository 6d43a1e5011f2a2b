"""What is watched while training: every task's validation figures, by name."""

from collections.abc import Iterable, Mapping

import numpy as np
import torch

from mmfuse.types import Task, Units


def scores(tasks: Mapping[str, Task], units: Mapping[str, Units], view: str | None = None) -> dict[str, float]:
    """Every task's figures as "val/<task>/<figure>", the first task's also as "val/<figure>".

    Where there are several tasks, "val/skill" is the mean of what each is best told by.

    Those of a view, which is what is predicted from some modalities only, begin with "val@<view>".
    """
    found: dict[str, float] = {}
    start = "val" if view is None else f"val@{view}"
    skills = []
    for number, (name, task) in enumerate(tasks.items()):
        answer, target = task.answer(units[name].prediction), units[name].target.numpy()
        figures = {k: v for k, v in task.score(answer, target).items() if isinstance(v, float)}
        found |= named(start, name, figures, number == 0)
        skills.append(task.skill(figures, target))
    if len(tasks) > 1:
        known = [skill for skill in skills if skill == skill]  # a task without a labelled row has none
        found[f"{start}/skill"] = sum(known) / len(known) if known else float("nan")
    return found


def named(start: str, task: str, figures: Mapping[str, float], first: bool) -> dict[str, float]:
    long = {f"{start}/{task}/{figure}": value for figure, value in figures.items()}
    return long | ({f"{start}/{figure}": value for figure, value in figures.items()} if first else {})


def monitors(
    tasks: Mapping[str, Task], targets: Mapping[str, np.ndarray], views: Iterable[str], losses: Iterable[str]
) -> list[str]:
    """What there will be to watch: the names of the validation figures, known before anything is trained."""
    none = {}
    for name, task in tasks.items():
        target = targets[name][:0] if targets[name].dtype.kind != "O" else np.empty(0, np.int64)
        none[name] = Units(torch.zeros(0, task.size), torch.from_numpy(target), torch.arange(0))
    figures = [name for view in (None, *views) for name in scores(tasks, none, view)]
    return [*figures, "val/loss", *(f"val/loss/{name}" for name in losses)]
