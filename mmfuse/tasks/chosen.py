"""The task that a method goes by which compares probabilities of the right class."""

from collections.abc import Mapping

from mmfuse.tasks.multiclass import Multiclass
from mmfuse.types import Task


def chosen(tasks: Mapping[str, Task], name: str | None, method: str) -> str:
    """The task of this name, or else the first that asks for one of several classes, row by row.

    >>> chosen({"mood": Multiclass(["bad", "good"])}, None, "ogm_ge")
    'mood'
    """
    if name is not None and name not in tasks:
        raise ValueError(f"task={name}: there is no such task; there are {list(tasks)}")
    fit = [t for t, task in tasks.items() if isinstance(task, Multiclass) and task.of is None]
    if not fit or (name is not None and name not in fit):
        asked = name or next(iter(tasks))
        advice = f"task={fit[0]}" if fit else "balance=mmpareto with objectives=[unimodal], which takes any task"
        raise ValueError(
            f"{method} goes by the probability of a row's right class, which the task '{asked}' does not have"
            f"\n  to go on: {advice}"
        )
    return name or fit[0]
