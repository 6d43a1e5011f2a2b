"""predictions.parquet: for each tested row its id and, for each task, target and probabilities or value."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmfuse.atomic import write
from mmfuse.tasks.multilabel import Multilabel
from mmfuse.tasks.regression import Regression
from mmfuse.types import Task


def save(
    path: Path,
    rows: np.ndarray,
    ids: Sequence[str],
    found: Mapping[str, tuple[np.ndarray, Mapping[str, Any]]],
) -> None:
    """Columns row, id, and of each task what it records: <task>/target, <task>/predicted, <task>/p(<class>)."""
    whole = table(rows, ids, found)
    write(path, lambda beside: whole.to_parquet(beside, index=False))


def table(
    rows: np.ndarray,
    ids: Sequence[str],
    found: Mapping[str, tuple[np.ndarray, Mapping[str, Any]]],
) -> pd.DataFrame:
    """`found` has, by task, the row of each unit (U,) and columns of U values. Where units are steps, a row has a list
    of its steps' values. Targets and predictions are class names; a missing label is null.
    """
    columns: dict[str, Sequence | np.ndarray] = {"row": rows, "id": [ids[row] for row in rows]}
    for task, (places, said) in found.items():
        whole = np.array_equal(places, rows)
        columns |= {
            f"{task}/{name}": values if whole else by_row(values, places, rows) for name, values in said.items()
        }
    return pd.DataFrame(columns)


def unlabelled(task: Task, answer: np.ndarray) -> dict[str, Any]:
    """What is recorded of answers whose targets nobody knows; of a retrieval, the codes of its two modalities."""
    if task.between:
        halves = np.split(answer, 2, axis=1)  # (U, D) each
        return {f"code({m})": list(half) for m, half in zip(task.between, halves, strict=True)}
    numbers = isinstance(task, Regression | Multilabel)
    nothing = np.full(answer.shape, np.nan) if numbers else np.full(len(answer), -1)
    return {name: values for name, values in task.recorded(answer, nothing).items() if name != "target"}


def by_row(values: Sequence[Any] | np.ndarray, places: np.ndarray, rows: np.ndarray) -> list[list[Any] | None]:
    """
    >>> by_row(["x", "y", "z"], np.array([4, 4, 7]), np.array([4, 5, 7]))
    [['x', 'y'], None, ['z']]
    """
    lists: dict[int, list[Any]] = {}
    for value, row in zip(values, places.tolist(), strict=True):
        lists.setdefault(row, []).append(value)
    return [lists.get(row) for row in rows.tolist()]
