"""predictions.parquet: for each tested row its id and, for each task, target and probabilities or value."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmfuse.atomic import write


def save(
    path: Path,
    rows: np.ndarray,
    ids: Sequence[str],
    found: Mapping[str, tuple[np.ndarray, Mapping[str, Any]]],
) -> None:
    """Columns row, id, and of each task what it records, such as <task>/target, <task>/predicted and <task>/p(<class>).

    `found` has, by task, the row of each unit (U,) and columns of U values. Where units are steps, a row has a list of
    its steps' values. Targets and predictions are class names; a missing label is null.
    """
    columns: dict[str, Sequence | np.ndarray] = {"row": rows, "id": [ids[row] for row in rows]}
    for task, (places, said) in found.items():
        whole = np.array_equal(places, rows)
        columns |= {
            f"{task}/{name}": values if whole else by_row(values, places, rows) for name, values in said.items()
        }
    table = pd.DataFrame(columns)
    write(path, lambda beside: table.to_parquet(beside, index=False))


def by_row(values: Sequence[Any] | np.ndarray, places: np.ndarray, rows: np.ndarray) -> list[list[Any] | None]:
    """
    >>> by_row(["x", "y", "z"], np.array([4, 4, 7]), np.array([4, 5, 7]))
    [['x', 'y'], None, ['z']]
    """
    lists: dict[int, list[Any]] = {}
    for value, row in zip(values, places.tolist(), strict=True):
        lists.setdefault(row, []).append(value)
    return [lists.get(row) for row in rows.tolist()]
