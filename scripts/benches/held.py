"""Rows in memory, as a run would have them after it has read and prepared its data."""

from typing import Any

import numpy as np
import torch

from mmfuse.data.columns import Column
from mmfuse.data.splits import Split
from mmfuse.run.prepare import Prepared

TASK = "dataset.tasks={label: {kind: multiclass}}"  # of the tables that are written to be read


def settings(size: int, workers: int = 0, by_length: bool = False) -> dict[str, Any]:
    return {"batch_size": size, "loader": {"workers": workers, "memory_gb": 0, "by_length": by_length}}


def prepared(columns: dict[str, Column], targets: dict[str, torch.Tensor], n: int) -> Prepared:
    rows = np.arange(n)
    return Prepared(Split(rows, rows, rows), columns, {}, {}, dict(targets), {}, {}, rows)
