"""What is done where some classes have many more rows than others: to training rows, by the first task's classes."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from mmfuse.tasks.multiclass import Multiclass
from mmfuse.types import Task


class Imbalance:
    """Each moment changes nothing unless a method says otherwise. Targets are class numbers, -1 without a label."""

    makes_rows: ClassVar[bool] = False

    def of_classes(self, name: str, task: Task) -> Multiclass:
        """The task; ValueError where it has no classes."""
        if not isinstance(task, Multiclass):
            what = "a number" if task.size == 1 else "not one class a row"
            raise ValueError(f"imbalance={type(self).__name__.lower()} is for classes; task '{name}' is {what}")
        return task

    def rows(self, target: Int[np.ndarray, " N"]) -> Int[np.ndarray, " R"]:
        """Which of these training rows an epoch sees: some repeatedly, some not at all."""
        return np.arange(len(target))

    def task(self, task: Multiclass, target: Int[np.ndarray, " N"]) -> Multiclass:
        """The task with another loss."""
        return task

    def new_rows(
        self, vectors: Float[np.ndarray, "N D"], target: Int[np.ndarray, " N"], classes: Sequence[str]
    ) -> tuple[Float[np.ndarray, "R D"], Int[np.ndarray, " R"]]:
        """More rows like these, each of a class. Raises DataError where a class has too few rows."""
        return vectors[:0], target[:0]


def by_class(target: Int[np.ndarray, " N"]) -> tuple[Int[np.ndarray, " L"], Int[np.ndarray, " U"]]:
    """The rows that have a class, and those that have none.

    >>> by_class(np.array([1, -1, 0]))
    (array([0, 2]), array([1]))
    """
    return np.flatnonzero(target >= 0), np.flatnonzero(target < 0)
