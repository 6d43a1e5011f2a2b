"""What a row's models said of their test rows, with what scores it; or why it cannot be had."""

import json
import zipfile
from collections.abc import Collection
from typing import Any

from mmfuse.compare import drawn
from mmfuse.compare.drawn import Answered
from mmfuse.compare.folding import Row
from mmfuse.compare.judges import Judge, judge


class UntestableError(Exception):
    """Says why answers cannot be judged anew."""


def ungrouped(row: Row) -> str | None:
    """What has to be said where rows come in groups, and a run from before answers.npz had them does not tell which."""
    name = row.first.cfg["dataset"]["split"].get("group")
    if name is None or drawn.grouped(row.parts[0]):
        return None
    return f"rows are drawn one by one, though they come in groups ({name}), which its answers.npz does not tell"


def answers(row: Row, task: str) -> Answered:
    try:
        return drawn.answered(row.parts, task)
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
