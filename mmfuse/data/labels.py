"""From a column's cells to a task and its targets, alike in every reader."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmfuse.data.target_columns import class_name, ordered
from mmfuse.errors import ConfigError, DataError
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.multilabel import Multilabel
from mmfuse.tasks.regression import Regression
from mmfuse.types import Task

UNSEEN = "(not in training)"


def labelled(
    name: str, about: Mapping[str, Any], cells: Sequence[Any], split: np.ndarray | None = None
) -> tuple[Task, np.ndarray]:
    """The task as its config describes it, and the targets: (N,), or (N, K) of a multilabel task.

    A cell is None without a label. Multilabel cells are lists of names, text that `separator` divides, or K zeros and
    ones. Unless the config names the classes they are those of the training rows, where `split` (N,) tells which those
    are. What other rows have besides is one class more, which no model learns to say, so that it counts as wrong.
    """
    kinds = {"multiclass": multiclass, "multilabel": multilabel, "regression": regression}
    if about["kind"] not in kinds:
        raise ConfigError(f"dataset.tasks.{name}.kind={about['kind']}: this data set has {', '.join(kinds)}")
    train = np.ones(len(cells), bool) if split is None or not (split == "train").any() else split == "train"
    return kinds[about["kind"]](name, about, cells, train)


def regression(name: str, about: Mapping[str, Any], cells: Sequence[Any], train: np.ndarray) -> tuple[Task, np.ndarray]:
    try:
        target = np.array([np.nan if cell is None else float(cell) for cell in cells], np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"task '{name}': a number is needed ({error})") from error
    return Regression(), target


def multiclass(name: str, about: Mapping[str, Any], cells: Sequence[Any], train: np.ndarray) -> tuple[Task, np.ndarray]:
    named = [None if cell is None else class_name(cell) for cell in cells]
    known = {c for c, taught in zip(named, train, strict=True) if c is not None and taught}
    classes = [class_name(c) for c in about.get("classes") or []] or ordered(known)
    others = {c for c in named if c is not None} - set(classes)
    if others and about.get("classes"):
        raise DataError(
            f"task '{name}': '{min(others)}' (row {named.index(min(others))}) is not among its classes\n"
            f"  dataset.tasks.{name}.classes: {', '.join(classes[:20])}"
        )
    if len(classes) < 2:
        raise DataError(f"task '{name}': a classification needs two classes or more, but the data have {classes}")
    number = {c: k for k, c in enumerate(classes)} | dict.fromkeys(others, len(classes))
    target = np.array([-1 if c is None else number[c] for c in named], np.int64)
    return Multiclass([*classes, UNSEEN] if others else classes), target


def multilabel(name: str, about: Mapping[str, Any], cells: Sequence[Any], train: np.ndarray) -> tuple[Task, np.ndarray]:
    """Labels that are not among the named classes are left out."""
    separator, classes = about.get("separator"), [class_name(c) for c in about.get("classes") or []]
    if any(isinstance(cell, np.ndarray) for cell in cells):
        return Multilabel(classes), answers(name, classes, cells)
    listed = [
        [class_name(c) for c in (cell.split(separator) if isinstance(cell, str) else cell)]
        if cell is not None
        else None
        for cell in cells
    ]
    classes = classes or ordered({c for row, taught in zip(listed, train, strict=True) if taught for c in row or ()})
    target = np.zeros((len(cells), len(classes)), np.float32)
    number = {c: k for k, c in enumerate(classes)}
    for row, labels in enumerate(listed):
        if labels is None:
            target[row] = np.nan
        else:
            target[row, [number[c] for c in labels if c in number]] = 1.0
    return Multilabel(classes), target


def answers(name: str, classes: Sequence[str], cells: Sequence[Any]) -> np.ndarray:
    """(N, K) of zeros and ones, where the cells are these already."""
    blank = np.full(len(classes), np.nan, np.float32)
    target = [blank if cell is None else np.asarray(cell, np.float32).ravel() for cell in cells]
    if {len(row) for row in target} != {len(classes)}:
        raise DataError(
            f"task '{name}': the data have {max(len(row) for row in target)} answers a row, but {len(classes)} classes"
            f" are named\n  dataset.tasks.{name}.classes: {', '.join(classes)}"
        )
    return np.stack(target)
