"""What a row's models said of their test rows, with what scores it; or why it cannot be had."""

import json
import zipfile
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np

from mmfuse.compare import drawn, units
from mmfuse.compare.drawn import Answered
from mmfuse.compare.folding import Row
from mmfuse.compare.judges import Judge, judge


class UntestableError(Exception):
    """Says why answers cannot be judged anew."""


class Groups(NamedTuple):
    of_rows: np.ndarray | None  # (N,) None where each row is its own
    note: str | None  # what has to be said where there are groups that cannot be had


def groups(row: Row) -> Groups:
    name = units.named(row)
    if name is None:
        return Groups(None, None)
    try:
        return Groups(units.groups(row), None)
    except Exception as error:  # data sets raise what they like where their files are gone
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return Groups(
            None, f"rows are drawn one by one, though they come in groups ({name}), which cannot be had: {reason}"
        )


def answers(row: Row, task: str, groups: np.ndarray | None) -> Answered:
    try:
        return drawn.answered(row.parts, task, groups)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise UntestableError(f"its answers.npz is missing or damaged ({type(error).__name__})") from error


def about(row: Row, task: str) -> dict[str, Any]:
    """What tasks.json says of a task."""
    try:
        found: dict[str, Any] = json.loads((row.parts[0].folder / "tasks.json").read_bytes())[task]
    except (OSError, KeyError, ValueError) as error:
        raise UntestableError(f"its tasks.json is missing or damaged ({type(error).__name__})") from error
    return found


def judge_of(row: Row, task: str, wanted: Collection[str]) -> Judge:
    told = about(row, task)
    found = judge(told, wanted)
    if found is None:
        raise UntestableError(f"the task is a {told['kind']}, which is somebody's own")
    return found


def samples_of(row: Row, samples: int | None) -> int:
    return samples or int(row.first.cfg.get("bootstrap") or 1000)
