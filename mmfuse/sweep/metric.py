"""What runs' folders say of the figure that a search goes by: of validation rows, never of test rows.

A name is as early_stopping.monitor has it: "val/f1_macro", "val/digit/ece", "val/skill", "val@source/mae"; "auto" is
what the run itself told its best epoch by.
"""

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mmfuse.errors import ConfigError, offer
from mmfuse.metrics.direction import mode

AUTO = "auto"


class Watched(NamedTuple):
    """By what a run told its best epoch."""

    figure: str
    mode: str  # "max" or "min"
    settles: int = 0  # the first epoch that may be the best


def refuse_unless_validation(name: str) -> None:
    if name != AUTO and not name.startswith(("val/", "val@")):
        raise ConfigError(
            f"sweep.metric={name}: a search goes by validation rows, not by those that judge it"
            f"\n  to go on: sweep.metric=val/{name.rpartition('/')[2]}, or sweep.metric=auto"
        )


def direction(name: str, config: Mapping[str, Any]) -> Literal["max", "min"]:
    """Known before anything has run, from the config that the runs have in common."""
    if name == AUTO:
        name = config["early_stopping"]["monitor"]
    if name != AUTO:
        return mode(name)
    asked = config["dataset"]["tasks"]
    alone = len(config["tasks"]) == 1 and asked[config["tasks"][0]].get("kind") == "regression"
    return "min" if alone else "max"  # of several tasks it is their skill


def final(folder: Path, name: str) -> float:
    """The mean over seeds and folds, at the best epoch of each; NaN where it is undefined.

    It is in metrics.json or, if it is a loss, a view's or over several tasks, in the histories only.
    """
    watched = watched_by(folder)
    name = watched.figure if name == AUTO else name
    found = tabled(read(folder / "metrics.json")["val"], name)
    if found is not None:
        return found
    values = [at_best(history, name, watched) for history in sorted(folder.glob("seed-*/history.csv"))]
    return sum(values) / len(values) if values else math.nan


def curve(folder: Path, name: str) -> list[tuple[int, float]]:
    """How the first seed of the first fold has gone so far: epochs trained, counted from 1, and the figure after each.

    A schedule's epochs that only prepare for what is watched are left out.
    """
    try:
        about, watched = read(folder / "manifest.json"), watched_by(folder)
        first = f"seed-{about['seeds'][0]}" + ("" if about["folds"] is None else "-fold-0")
        rows = history(folder / first / "history.csv")
    except (OSError, ValueError):  # it has not come so far
        return []
    name = watched.figure if name == AUTO else name
    return [(n + 1, at(row, name)) for row in rows if (n := int(row["epoch"])) >= watched.settles]


def named(folder: Path, name: str) -> str:
    """What "auto" was of this run."""
    return watched_by(folder).figure if name == AUTO else name


def watched_by(folder: Path) -> Watched:
    about = read(folder / "manifest.json")["monitor"]
    return Watched(about["figure"], about["mode"], about["settles"])


def tabled(tasks: Mapping[str, Any], name: str) -> float | None:
    """
    >>> digit, parity = {"f1_macro": {"mean": 0.5}}, {"f1_macro": {"mean": 0.75}}
    >>> [tabled({"digit": digit, "parity": parity}, f"val/{n}") for n in ("f1_macro", "parity/f1_macro", "skill")]
    [0.5, 0.75, None]
    """
    split, _, rest = name.partition("/")
    if split != "val" or not tasks:
        return None
    task, _, figure = rest.partition("/")
    if task not in tasks:
        task, figure = next(iter(tasks)), rest
    about = tasks[task].get(figure)
    if not isinstance(about, dict) or "mean" not in about:
        return None
    return math.nan if about["mean"] is None else float(about["mean"])


def at_best(path: Path, name: str, watched: Watched) -> float:
    """The figure at the epoch that was the best by what was watched."""
    rows = [row for row in history(path) if int(row["epoch"]) >= watched.settles]
    known = [row for row in rows if math.isfinite(at(row, watched.figure))]
    if not known:
        return math.nan
    best = (max if watched.mode == "max" else min)(
        known, key=lambda row: at(row, watched.figure)
    )  # the first of equals
    return at(best, name)


def at(row: Mapping[str, str], name: str) -> float:
    if name not in row:
        known = [n for n in row if n.startswith("val") and n.count("/") == 1]
        raise ConfigError(f"sweep.metric={name}: there is no such figure\n  {offer(name, known, 'there are')}")
    return float(row[name] or "nan")


def history(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))
