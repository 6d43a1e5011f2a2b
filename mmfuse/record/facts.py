"""What the manifest says of the data."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmfuse.data.splits import Split
from mmfuse.record import fingerprint
from mmfuse.types import Examples, Task


def facts(
    examples: Examples,
    divided: Sequence[Split],
    missing: Mapping[str, int],
    unreadable: Mapping[str, Mapping[int, str]],
) -> dict[str, Any]:
    """Rows, fingerprint, splits, classes; by modality how many rows lack it, and which because they cannot be read."""
    return {
        "rows": len(examples),
        "fingerprint": fingerprint.of_rows(examples.raw, examples.targets, examples.ids),
        "splits": [split_facts(split) for split in divided],
        "missing": dict(missing),
        "unreadable": {m: list(rows) for m, rows in unreadable.items() if rows},
        "classes": classes(examples.tasks),
    }


def split_facts(split: Split) -> dict[str, Any]:
    return {name: len(rows) for name, rows in split._asdict().items()} | {"ids": fingerprint.of_numbers(*split)}


def classes(tasks: Mapping[str, Task]) -> dict[str, list[str] | None]:
    """By task: the names of its classes, None where it has none."""
    return {name: list(task.classes) if hasattr(task, "classes") else None for name, task in tasks.items()}
