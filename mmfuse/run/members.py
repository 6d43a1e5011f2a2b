"""Which rows a class has, and what a row's label is called."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from mmfuse.tasks.labels import has_label
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.multilabel import Multilabel
from mmfuse.tasks.regression import Regression
from mmfuse.types import Examples, Task


def members(task: Task, examples: Examples, name: str, rows: np.ndarray) -> Iterator[tuple[str, Bool[Tensor, " N"]]]:
    """Each class, and of these rows the ones that have it; nothing of a task that is not about classes of rows."""
    target = examples.targets[name][rows]
    if task.of is not None or task.between:
        return
    if isinstance(task, Multilabel):
        for k, label in enumerate(task.classes):
            yield label, torch.from_numpy(target[:, k] == 1)
    elif isinstance(task, Multiclass):
        for k, label in enumerate(task.classes):
            yield label, torch.from_numpy(target == k)


def labels(task: Task, target: np.ndarray) -> list[str | float | None] | None:
    """Of each row its class, classes or value, None where it has no label; None of a task that is not about rows."""
    if task.of is not None or task.between:
        return None
    known = has_label(target)
    if isinstance(task, Regression):
        return [float(value) if k else None for value, k in zip(target, known, strict=True)]
    if isinstance(task, Multilabel):
        said = [", ".join(c for c, value in zip(task.classes, row, strict=True) if value == 1) for row in target]
        return [names if k else None for names, k in zip(said, known, strict=True)]
    if isinstance(task, Multiclass):
        return [task.classes[k] if k >= 0 else None for k in target.tolist()]
    return None
