"""failures.json in a run's folder: how often it failed in its sweep, and of what."""

import json
import re
import signal
from pathlib import Path

from mmfuse.atomic import write_json

FILE = "failures.json"
HOPELESS = (2, 3)  # exit codes of what comes out alike each time: config and data


def of(folder: Path) -> list[dict[str, str | int]]:
    try:
        found: list[dict[str, str | int]] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return found


def add(folder: Path, code: int, error: str) -> int:
    """How often it has failed by now."""
    found = [*of(folder), {"exit_code": code, "error": error}]
    write_json(folder / FILE, found)
    return len(found)


def last_words(folder: Path, code: int) -> str:
    """What a run that ended so says of itself."""
    if code < 0:
        memory = ", as it is where memory runs out" if code == -signal.SIGKILL else ""
        return f"its process was ended by {signal.Signals(-code).name}{memory}"
    try:
        said = json.loads((folder / "status.json").read_text(encoding="utf-8")).get("error")
    except (OSError, ValueError):
        said = None
    return str(said or f"it ended with exit code {code} and said nothing")


def alike(one: str, other: str) -> bool:
    """
    >>> alike("epoch 3: the loss is nan", "epoch 11: the loss is nan"), alike("no memory", "no such file")
    (True, False)
    """
    return re.sub(r"[\d.]+", "", one) == re.sub(r"[\d.]+", "", other)
