"""Folders of finished runs, made by hand: what was said is drawn at random, and nothing was trained."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mmfuse import __version__
from mmfuse.atomic import write_json
from mmfuse.metrics.summary import Answers, summarise
from mmfuse.record import answers
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.multilabel import Multilabel
from mmfuse.tasks.regression import Regression
from mmfuse.types import Task

EVIL = "<script>alert(1)</script>"
CLASSES = ["fine", EVIL, "a|b"]
ROWS = 80
JUDGED = {"difference": 0.18, "ci95": [0.139, 0.22], "p": 0.001, "p_holm": 0.002, "detectable": 0.058, "value": 0.77}


def tasks(classes: list[str]) -> dict[str, Task]:
    return {"kind": Multiclass(classes), "score": Regression(), "tags": Multilabel(["x", "y"])}


def said(asked: Mapping[str, Task], seed: int) -> Answers:
    draw = np.random.default_rng(seed)
    rows, found, targets = np.arange(ROWS), {}, {}
    for name, task in asked.items():
        if isinstance(task, Multiclass):
            targets[name] = np.arange(ROWS) % task.size
            scores = draw.normal(size=(ROWS, task.size)) + 2 * np.eye(task.size)[targets[name]]
            found[name] = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        elif isinstance(task, Multilabel):
            targets[name] = (np.arange(ROWS)[:, None] % np.array([2, 3]) == 0).astype(np.float64)
            found[name] = draw.uniform(size=(ROWS, 2))
        else:
            targets[name] = np.linspace(-3.0, 3.0, ROWS)
            found[name] = targets[name] + draw.normal(size=ROWS)
    return Answers(dict.fromkeys(asked, rows), found, targets)


def verdict(word: str, **about: Any) -> dict[str, Any]:
    concat = JUDGED | {"difference": -1e-16, "ci95": [-0.017, 0.018], "p_holm": 1.0, "detectable": 0.026, "value": 0.95}
    against = {"image": JUDGED | {"verdict": word} | about, "concat": concat | {"verdict": "NO EVIDENCE"}}
    return {"kind": {"figure": "accuracy", "best": "image", "verdict": word, "against": against}}


def made(
    folder: Path, asked: Mapping[str, Task], runs: list[Answers] | None = None, samples: int = 40, **metrics: Any
) -> Path:
    """A finished run of seeds 0 and 1, of these tasks; `metrics` are further keys of its metrics.json."""
    folder.mkdir(parents=True)
    runs = runs or [said(asked, seed) for seed in range(2)]
    for seed, run in enumerate(runs):
        place = folder / f"seed-{seed}"
        place.mkdir()
        answers.save(place / "answers.npz", {"test": run, "val": run})
        lines = [f"{epoch},{2 / (epoch + 1)},{2.5 / (epoch + 1)},{0.1 * epoch + 0.05 * seed}" for epoch in range(4)]
        (place / "history.csv").write_text("\n".join(["epoch,train/loss,val/loss,val/kind/accuracy", *lines]) + "\n")
    tables = {name: summarise(task, name, runs, samples) for name, task in asked.items()}
    write_json(folder / "metrics.json", {"test": tables, "val": tables} | metrics)
    config = {
        "dataset": {"_target_": "mmfuse.data.digits.Digits"},
        "modalities": ["image", "audio"],
        "seeds": [0, 1],
        "folds": None,
        "output_dir": "elsewhere",
        "choices": {"dataset": EVIL, "fusion": "gated"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    write_json(folder / "status.json", {"state": "done"})
    write_json(folder / "manifest.json", {"versions": {"mmfuse": __version__}, "parameters": 1234, "seeds": [0, 1]})
    found = {"grade": "warning", "check": "copies", "where": EVIL, "said": EVIL, "rows": [1, 2]}
    write_json(folder / "audit.json", [found])
    (folder / "command.sh").write_text("#!/bin/sh\nmmfuse train 'seeds=[0,1]'\n")
    return folder


def changed(folder: Path, file: str, **keys: Any) -> None:
    path = folder / file
    write_json(path, json.loads(path.read_text()) | keys)
