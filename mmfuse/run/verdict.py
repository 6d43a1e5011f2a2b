"""Did fusing help? The run against the best of its modalities alone, and against plain concatenation, on the same rows.

The best single modality is the one with the best validation figure, so that the test rows choose nothing. HELPS is
said where the difference is for the better, its interval keeps clear of 0 and p, as it counts among all comparisons of
the run (Holm), is below .05; HURTS where the same goes for the worse; else NO EVIDENCE, with the smallest difference
that these test rows could have shown.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.metrics.direction import less
from mmfuse.metrics.paired import Scored, differ, holm
from mmfuse.metrics.summary import Answers
from mmfuse.record import answers
from mmfuse.types import Task

LEVEL = 0.05


def verdict(
    tasks: Mapping[str, Task],
    said: Sequence[Answers],
    folders: Mapping[str, Path],
    metrics: Mapping[str, Mapping[str, Any]],
    modalities: Sequence[str],
    samples: int,
) -> dict[str, Any]:
    """By task. `said` is of the test rows, seed by seed and fold by fold; `folders` and `metrics` are of baselines."""
    found: dict[str, Any] = {}
    for t, task in tasks.items():
        figure = task.headline[0]
        better = -1 if less(figure) else 1
        best = max(modalities, key=lambda m: better * metrics[m]["val"][t][figure]["mean"])
        table: dict[str, Any] = {"figure": figure, "best": best, "against": {}}
        drawn = [run.independent(t) for run in said]
        ours = [scored(run, t, units) for run, units in zip(said, drawn, strict=True)]
        for name in dict.fromkeys((best, "concat")):
            theirs = [scored(run, t, units) for run, units in zip(said_in_test(folders[name]), drawn, strict=True)]
            about = differ(task, figure, ours, theirs, samples)
            interval = {"ci95": [about.low, about.high], "p": about.p, "detectable": about.detectable}
            figures = {"value": metrics[name]["test"][t][figure]["mean"], "difference": about.difference}
            table["against"][name] = figures | interval
        found[t] = table
    every = [about for table in found.values() for about in table["against"].values()]
    for about, p in zip(every, holm([about["p"] for about in every]), strict=True):
        about["p_holm"] = p
    for table in found.values():
        for about in table["against"].values():
            about["verdict"] = said_of(about, -1 if less(table["figure"]) else 1)
        table["verdict"] = table["against"][table["best"]]["verdict"]
    return found


def said_of(about: Mapping[str, Any], better: int) -> str:
    """
    >>> said_of({"ci95": [0.02, 0.05], "p_holm": 0.01}, 1), said_of({"ci95": [0.02, 0.05], "p_holm": 0.01}, -1)
    ('HELPS', 'HURTS')
    >>> said_of({"ci95": [-0.02, 0.05], "p_holm": 0.2}, 1)
    'NO EVIDENCE'
    """
    low, high = about["ci95"]
    if about["p_holm"] >= LEVEL or low <= 0 <= high:
        return "NO EVIDENCE"
    return "HELPS" if (low > 0) == (better > 0) else "HURTS"


def said_in_test(folder: Path) -> list[Answers]:
    """What a finished run said of its test rows, in the order in which seeds and folds were trained."""
    import yaml

    cfg = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    folds = [None] if cfg["folds"] is None else range(cfg["folds"])
    places = [f"seed-{s}" if fold is None else f"seed-{s}-fold-{fold}" for fold in folds for s in cfg["seeds"]]
    return [answers.load(folder / place / "answers.npz")["test"] for place in places]


def scored(run: Answers, task: str, units: np.ndarray) -> Scored:
    return Scored(units, run.answers[task], run.targets[task])
