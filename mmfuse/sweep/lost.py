"""What a run's folder says of its end, and what is written there when the run could not say it itself."""

import json
from pathlib import Path

from mmfuse.errors import TrainingError
from mmfuse.record.status import Status


def exit_code(folder: Path) -> int | None:
    """Of a run that ended by itself; None of one that says it is running, or has not begun."""
    try:
        about = json.loads((folder / "status.json").read_text(encoding="utf-8"))
        state, code = about["state"], about.get("exit_code")
    except (OSError, ValueError, KeyError):
        return None
    if state in ("done", "failed", "preempted"):
        return int(code) if code is not None else {"done": 0, "failed": 1, "preempted": 75}[state]
    return None


def lost(folder: Path, why: str, code: int = TrainingError.exit_code) -> int:
    """A run that was killed without a word has failed, and its folder says why."""
    Status(folder).say("failed", exit_code=code, error=why)
    return code
