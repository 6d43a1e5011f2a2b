"""What the manifest says of the data."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmfuse.data.splits import Split
from mmfuse.record import fingerprint
from mmfuse.types import Examples, Task, Unreadable


def facts(
    examples: Examples,
    divided: Sequence[Split],
    missing: Mapping[str, int],
    unreadable: Mapping[str, Mapping[int, Unreadable]],
) -> dict[str, Any]:
    """Rows, fingerprint, splits, classes; by modality how many rows lack it, and which because they cannot be read."""
    return {
        "rows": len(examples),
        "fingerprint": fingerprint.of_rows(examples.raw, examples.targets, examples.ids),
        "splits": [split_facts(split, examples) for split in divided],
        "missing": dict(missing),
        "unreadable": {m: list(rows) for m, rows in unreadable.items() if rows},
        "classes": classes(examples.tasks),
    }


def split_facts(split: Split, examples: Examples) -> dict[str, Any]:
    """Rows of each side; and, by task that labels steps, how many steps of these have a label."""
    sides = split._asdict()
    found = {name: len(rows) for name, rows in sides.items()} | {"ids": fingerprint.of_numbers(*split)}
    targets = {t: examples.targets[t] for t, task in examples.tasks.items() if task.of is not None}
    steps = {t: {side: labelled_steps(target[rows]) for side, rows in sides.items()} for t, target in targets.items()}
    return found | ({"steps": steps} if steps else {})


def labelled_steps(target: np.ndarray) -> int:
    """
    >>> rows = np.array([np.array([0, 1, -1]), None], dtype=object)
    >>> labelled_steps(rows)
    2
    """
    return sum(int((labels >= 0).sum()) for labels in target if labels is not None)


def classes(tasks: Mapping[str, Task]) -> dict[str, list[str] | None]:
    """By task: the names of its classes, None where it has none."""
    return {name: list(task.classes) if hasattr(task, "classes") else None for name, task in tasks.items()}
