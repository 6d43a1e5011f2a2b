"""What a run tells of itself in its folder, in a figure or two. Torch is not imported."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmfuse.metrics.direction import less

HEADLINES = ("f1_macro", "mae", "mrr", "accuracy")  # the first that a task has
SHOWN = ("val/skill", "val/f1_macro", "val/mae", "val/loss")


class Headline(NamedTuple):
    task: str
    figure: str
    val: float | None
    test: float | None

    @property
    def rank(self) -> float:
        """The larger, the better: by what validation says, never by the test."""
        if self.val is None:
            return -float("inf")
        return -self.val if less(self.figure) else self.val


def headline(folder: Path) -> Headline | None:
    """Of the first task; None where there is no result."""
    try:
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        task, table = next(iter(metrics["test"].items()))
        figure = next((name for name in HEADLINES if name in table), next(iter(table)))
        return Headline(task, figure, mean(metrics["val"].get(task, {}), figure), mean(table, figure))
    except (OSError, ValueError, KeyError, StopIteration, AttributeError):
        return None


def mean(table: Mapping[str, Any], figure: str) -> float | None:
    return table.get(figure, {}).get("mean")


def progress(folder: Path) -> dict[str, str]:
    """The last epoch of the seed that trains now: "at" (which), "epoch" (how many are done) and a figure or two."""
    histories = sorted(folder.glob("seed-*/history.csv"), key=lambda file: file.stat().st_mtime)
    if not histories:
        return {}
    with open(histories[-1], newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        return {}
    last = rows[-1]
    figures = {name: last[name] for name in SHOWN if last.get(name)}
    return {"at": histories[-1].parent.name, "epoch": str(int(last["epoch"]) + 1), **dict(list(figures.items())[:2])}
