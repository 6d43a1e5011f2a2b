"""Runs of a search that train nothing: a formula says how good they are, and they leave what runs leave.

As a script it is one worker of a study: python searching.py FOLDER STORAGE TRIALS SECONDS-PER-EPOCH
"""

import csv
import hashlib
import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from mmfuse.record.status import Status
from mmfuse.sweep.grammar import Axis
from mmfuse.sweep.search import Search, is_pruned
from mmfuse.sweep.study import Rules, opened

BEST_RATE, BEST_WIDTH = 2e-3, 64


def axes(*typed: str) -> list[Axis]:
    parser = OverridesParser.create()
    words = typed or ("optimizer.lr=tag(log,interval(1e-5,1e-1))", "fusion=concat,gated,lmf")
    return [Axis(word.partition("=")[0], override=parser.parse_override(word)) for word in words]


def planted(differs: Mapping[str, str]) -> float:
    """1 at the planted optimum, and less elsewhere."""
    away = math.log10(float(differs["optimizer.lr"])) - math.log10(BEST_RATE)
    return 1 - 0.1 * away**2 - {"gated": 0.0, "concat": 0.1, "lmf": 0.3}[differs["fusion"]]


def folder_of(differs: Mapping[str, str], root: Path) -> Path:
    return root / hashlib.blake2b(json.dumps(dict(differs)).encode(), digest_size=6).hexdigest()


def left(folder: Path, values: list[float], figure: str = "f1_macro", test: float = 0.0, mode: str = "max") -> None:
    """What a run of one seed leaves after so many epochs."""
    (folder / "seed-0").mkdir(parents=True, exist_ok=True)
    monitor = {"figure": f"val/{figure}", "mode": mode, "settles": 0}
    manifest = {"seeds": [0], "folds": None, "monitor": monitor}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with open(folder / "seed-0" / "history.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", f"val/{figure}"])
        writer.writerows(enumerate(values))
    best = (max if mode == "max" else min)(values, default=math.nan)
    tables = {split: {"digit": {figure: {"mean": value}}} for split, value in (("val", best), ("test", test))}
    (folder / "metrics.json").write_text(json.dumps(tables))


def run(search: Search, folder: Path, value: float, epochs: int, seconds: float = 0.0) -> int:
    """Trains until it is asked to end; how many epochs that were."""
    Status(folder).say("running")
    for epoch in range(1, epochs + 1):
        time.sleep(seconds)
        left(folder, [value * (1 - 0.5**n) for n in range(1, epoch + 1)])
        if epoch < epochs and search.should_stop(folder):
            Status(folder).say("preempted", exit_code=75)
            return epoch
    Status(folder).say("done", exit_code=0)
    return epochs


def search_of(root: Path, rules: Rules, storage: str = "journal", of: list[Axis] | None = None, **rest: Any) -> Search:
    found = of or axes()
    metric, direction = rest.pop("metric", "auto"), rest.pop("direction", "max")
    root.mkdir(exist_ok=True)
    about = {"metric": metric, "axes": " ".join(str(axis.state()) for axis in found)}
    return Search(opened("mine", storage, root, rules, direction, about), found, rules, metric, root, **rest)


def drive(
    search: Search,
    root: Path,
    good: Callable[[Mapping[str, str]], float] = planted,
    epochs: int = 1,
    seconds: float = 0,
) -> list[dict[str, str]]:
    """One worker, from end to end; what it was asked to run."""
    asked = []
    while not search.done:
        if (next_one := search.ask()) is None:
            time.sleep(0.02)
            continue
        asked.append(next_one.differs)
        folder = folder_of(next_one.differs, root)
        folder.mkdir(exist_ok=True)
        search.began(next_one, folder)
        if Status.read(folder) != "done" and not is_pruned(folder):
            run(search, folder, good(next_one.differs), epochs, seconds)
        search.tell(folder)
    return asked


if __name__ == "__main__":
    root, storage, trials, seconds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    print(len(drive(search_of(root, Rules(trials), storage), root, epochs=4, seconds=seconds)))
