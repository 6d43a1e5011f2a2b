"""From a column's cells to a task and its targets, in data sets that are published in parts of their own."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mmfuse.data.target_columns import class_name, listed, ordered, target
from mmfuse.errors import ConfigError, DataError
from mmfuse.tasks.multilabel import Multilabel
from mmfuse.types import Task

UNSEEN = "(not in training)"
KINDS = ("multiclass", "multilabel", "regression")


def labelled(
    name: str, about: Mapping[str, Any], cells: Sequence[Any], split: np.ndarray | None = None
) -> tuple[Task, np.ndarray]:
    """The task as its config describes it, and the targets: (N,), or (N, K) of a multilabel task.

    A cell is None without a label. Multilabel cells are lists of names, text that `separator` divides, or K zeros and
    ones. Unless the config names the classes they are those of the training rows, where `split` (N,) tells which those
    are. What other rows have besides is one class more, which no model learns to say, so that it counts as wrong.
    """
    if about["kind"] not in KINDS:
        raise ConfigError(f"dataset.tasks.{name}.kind={about['kind']}: this data set has {', '.join(KINDS)}")
    if any(isinstance(cell, np.ndarray) for cell in cells):
        return answers(name, [class_name(c) for c in about.get("classes") or []], cells)
    if about["kind"] == "multilabel" or (about["kind"] == "multiclass" and not about.get("classes")):
        train = np.ones(len(cells), bool) if split is None or not (split == "train").any() else split == "train"
        cells, about = of_training(about, cells, train)
    column = str(about.get("column") or name)
    return target(pd.DataFrame({column: list(cells)}, dtype=object), name, about)


def of_training(about: Mapping[str, Any], cells: Sequence[Any], train: np.ndarray) -> tuple[list[Any], dict[str, Any]]:
    """The cells, and the config with the training rows' classes, if it names none; other labels are left out."""
    several = about["kind"] == "multilabel"
    lists = [None if cell is None else listed(cell, about) if several else [class_name(cell)] for cell in cells]
    named = [class_name(c) for c in about.get("classes") or []]
    known = set(named) or {c for row, taught in zip(lists, train, strict=True) if taught for c in row or ()}
    if several:
        kept: list[Any] = [None if row is None else [c for c in row if c in known] for row in lists]
    else:
        kept = [None if row is None else row[0] if row[0] in known else UNSEEN for row in lists]
    return kept, {**about, "classes": named or ordered(known) + [UNSEEN] * (UNSEEN in kept)}


def answers(name: str, classes: Sequence[str], cells: Sequence[Any]) -> tuple[Task, np.ndarray]:
    """(N, K) of zeros and ones, where the cells are these already."""
    blank = np.full(len(classes), np.nan, np.float32)
    found = [blank if cell is None else np.asarray(cell, np.float32).ravel() for cell in cells]
    if {len(row) for row in found} != {len(classes)}:
        raise DataError(
            f"task '{name}': the data have {max(len(row) for row in found)} answers a row, but {len(classes)} classes"
            f" are named\n  dataset.tasks.{name}.classes: {', '.join(classes)}"
        )
    return Multilabel(classes), np.stack(found)
