"""Figures that a split's table has no place for: those that validation rows teach, and those of whole entities."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from mmfuse.listener import Listener
from mmfuse.metrics import entities
from mmfuse.metrics.calibrated import calibrated
from mmfuse.metrics.summary import Answers
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.tokens import Tokens
from mmfuse.types import Task


def besides(
    tasks: Mapping[str, Task], val: Sequence[Answers], test: Sequence[Answers], samples: int, listener: Listener
) -> dict[str, Any]:
    """By name, by task: "calibration" of classifications, "entities" of steps that are labelled B-, I- and O."""
    several = {t: task for t, task in tasks.items() if isinstance(task, Multiclass)}
    tags = {t: task for t, task in several.items() if isinstance(task, Tokens) and entities.tagged(task.classes)}
    found = {"calibration": {t: calibrated(t, val, test, samples) for t in several}}
    if tags and find_spec("seqeval") is None:
        listener.advised(
            f"dataset.tasks.{next(iter(tags))}", "the F1 of whole entities needs pip install 'mmfuse[ner]'"
        )
    elif tags:
        found["entities"] = {t: entities.summarise(t, task.classes, test, samples) for t, task in tags.items()}
    return {name: table for name, table in found.items() if table}
