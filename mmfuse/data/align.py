"""Sequences that go step by step together, such as words with the sound and the picture of each."""

from collections.abc import Mapping, Sequence

import numpy as np

from mmfuse.data.columns import Column, Stored
from mmfuse.errors import DataError


def require_aligned(columns: Mapping[str, Column], modalities: Sequence[str]) -> None:
    """Every row has as many steps in each of these modalities, or lacks it."""
    lengths = {m: c.lengths.numpy() for m, c in columns.items() if m in modalities and isinstance(c, Stored)}
    for (first, a), (other, b) in zip(list(lengths.items())[:-1], list(lengths.items())[1:], strict=True):
        if len(rows := np.flatnonzero((a != b) & (a > 0) & (b > 0))):
            row = rows[0]
            raise DataError(
                f"{len(rows)} rows have unequal numbers of steps in '{first}' and '{other}';"
                f" the first: row {row} with {a[row]} and {b[row]}\n"
                "  dataset.align=require wants them equal; to go on: dataset.align=free, or sequences that are aligned"
            )


def check_labels(labels: Sequence[np.ndarray | None] | np.ndarray, column: Column, task: str, of: str) -> None:
    """As many labels as the preparation left steps."""
    if not isinstance(column, Stored):
        raise DataError(f"task '{task}' labels the steps of '{of}', which has to be in memory: loader.memory_gb")
    lengths = column.lengths.tolist()
    for row, label in enumerate(labels):
        if label is not None and lengths[row] and len(label) != lengths[row]:
            raise DataError(
                f"task '{task}', row {row}: {len(label)} labels for the {lengths[row]} steps of '{of}'\n"
                f"  to go on: one label a step; a text that is cut needs a larger encoder.{of}.prepare.max_length"
            )
