"""A figure of some of the tested rows: "accuracy@open" is the accuracy over the part that a table calls open.

Which rows these are stands in a column of a file of the data set, beside their ids.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mmfuse.errors import DataError

DRAWS = 10_000
OF = "@"


class Part(NamedTuple):
    file: str  # JSON lines, or a table with commas
    id: str  # the column of ids
    column: str
    value: str


def figures(folder: Path, task: str, part: Part, root: Path) -> tuple[dict[str, Any], int]:
    """Mean, deviation, bootstrap interval and every seed's value, as a run's record has them; and of how many rows."""
    ids = members(root, part)
    right = []
    for file in sorted(folder.glob("seed-*/predictions.parquet")):
        said = pd.read_parquet(file, columns=["id", f"{task}/target", f"{task}/predicted"])
        said = said[said["id"].astype(str).isin(ids)]
        right.append((said[f"{task}/target"] == said[f"{task}/predicted"]).to_numpy(dtype=float))
    if not right or not len(right[0]):
        raise DataError(f"{folder.name}: no tested row has {part.column}={part.value} in {root / part.file}")
    each = np.stack(right)  # (seeds, rows)
    rows = each.shape[1]
    draws = np.random.default_rng(0).integers(0, rows, (DRAWS, rows))
    bounds = np.percentile(each.mean(axis=0)[draws].mean(axis=1), [2.5, 97.5])
    values = each.mean(axis=1)
    std = float(values.std(ddof=1)) if len(values) > 1 else None
    found = {"mean": float(values.mean()), "std": std, "ci95": bounds.tolist(), "values": values.tolist()}
    return found, rows


def members(root: Path, part: Part) -> set[str]:
    return {str(row[part.id]) for row in rows_of(root / part.file) if str(row[part.column]) == part.value}


def rows_of(file: Path) -> list[Mapping[str, Any]]:
    if file.suffix == ".csv":
        found: list[Mapping[str, Any]] = pd.read_csv(file, dtype=str).to_dict("records")
        return found
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
