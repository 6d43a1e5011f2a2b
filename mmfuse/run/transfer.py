"""What was learned from one modality, asked of another: the figures of strategy=cross_modal.

A linear probe is fitted on the shared codes of modality A of the labelled training rows, and asked about those of
modality B of the test rows, in all directions; beside it B's own ceiling (a probe fitted on B), chance (the most
frequent class, or the mean), and the same after a training on shuffled pairs, whose ratio is about 0 where the pairs
are what was learned from. ratio = (A to B - chance) / (ceiling - chance).
"""

from collections.abc import Mapping
from itertools import combinations, permutations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from mmfuse.data.columns import Column
from mmfuse.errors import ConfigError
from mmfuse.learner.codes import Coded, codes
from mmfuse.listener import Listener
from mmfuse.metrics import retrieval
from mmfuse.metrics.probe import Probe
from mmfuse.metrics.summary import mean_std
from mmfuse.run.build import learner
from mmfuse.run.loader import loader
from mmfuse.run.make import Config
from mmfuse.run.prepare import Prepared
from mmfuse.run.settings import patience
from mmfuse.run.trainer import maker
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.regression import Regression
from mmfuse.types import Signal, Task

Figures = dict[str, Any]


class Shuffled(NamedTuple):
    """A column whose rows have those of others."""

    column: Column
    order: torch.Tensor  # (N,)

    def batch(self, rows: torch.Tensor) -> Signal:
        return self.column.batch(self.order[rows])


def refuse_unless_paired(cfg: Config, prepared: Prepared) -> None:
    if not cfg["strategy"].get("transfer"):
        return
    if len(cfg["modalities"]) < 2:
        raise ConfigError(f"strategy=cross_modal compares modalities, and there is {cfg['modalities']} alone")
    if prepared.stream is not None:
        raise ConfigError("strategy=cross_modal asks about the training rows once more, and these stream")


def transferred(cfg: Config, prepared: Prepared, trained: Any, trainer: Any, seed: int, place: Path) -> Figures:
    """Of one seed. Trains once more, on shuffled pairs, for the control."""
    found = asked(cfg, prepared, coded(cfg, prepared, trained, trainer))
    control = control_of(cfg, prepared, seed, place)
    for task, table in found["tasks"].items():
        for direction, figures in table.items():
            figures["shuffled"] = control["tasks"][task][direction]["accuracy" if "accuracy" in figures else "mae"]
            figures["shuffled_ratio"] = control["tasks"][task][direction]["ratio"]
    for pair, figures in found["retrieval"].items():
        figures["shuffled_mrr"] = control["retrieval"][pair]["mrr"]
    return found


def coded(cfg: Config, prepared: Prepared, trained: Any, trainer: Any) -> dict[str, Coded]:
    parts = {"train": prepared.split.train, "test": prepared.split.test}
    return {name: codes(trained, trainer, loader(cfg, prepared, rows, None)) for name, rows in parts.items()}


def control_of(cfg: Config, prepared: Prepared, seed: int, place: Path) -> Figures:
    """All but the first modality are shuffled among the training rows, and among the validation rows."""
    from mmfuse.learner.fit import fit

    dice = np.random.default_rng(seed)
    columns = dict(prepared.columns)
    for modality in list(columns)[1:]:
        order = np.arange(len(next(iter(prepared.present.values()))))
        for rows in (prepared.split.train, prepared.split.val):
            order[rows] = dice.permutation(rows)
        columns[modality] = Shuffled(columns[modality], torch.from_numpy(order))
    apart = prepared._replace(columns=columns)
    trained = learner(cfg, apart, seed)
    epochs = {**cfg["trainer"], "max_epochs": trained.schedule.settles + 1}  # the tasks' own epochs tell nothing here
    trainer = fit(
        trained,
        maker(epochs),
        loader(cfg, apart, apart.split.train, seed),
        loader(cfg, apart, apart.split.val, None),
        place / "shuffled" / "checkpoints",
        patience(cfg, apart.tasks, trained.schedule),
        Listener(),
    )
    return asked(cfg, prepared, coded(cfg, prepared, trained, trainer))


def asked(cfg: Config, prepared: Prepared, said: Mapping[str, Coded]) -> Figures:
    tasks = {}
    for t, task in prepared.tasks.items():
        target = prepared.targets[t]
        if isinstance(task, Multiclass | Regression) and isinstance(target, torch.Tensor):
            directions = permutations(said["train"].codes, 2)
            tasks[t] = {f"{a} to {b}": probed(task, said, target.numpy(), a, b) for a, b in directions}
    test = said["test"]
    found = {}
    for pair in combinations(test.codes, 2):
        a, b = (test.codes[m] / np.linalg.norm(test.codes[m], axis=1, keepdims=True).clip(1e-12) for m in pair)
        items = np.arange(len(test.rows))
        found[" and ".join(pair)] = retrieval.scores((retrieval.ranks(a, b, items), retrieval.ranks(b, a, items)), pair)
    return {"tasks": tasks, "retrieval": found}


def probed(task: Task, said: Mapping[str, Coded], target: np.ndarray, a: str, b: str) -> dict[str, float]:
    train, test = said["train"], said["test"]
    classes = task.size if isinstance(task, Multiclass) else 0
    figure = "accuracy" if classes else "mae"
    learned, wanted = target[train.rows], target[test.rows]
    whole = ~np.isnan(test.codes[b]).any(axis=1)

    def score(of: str) -> float:
        probe = Probe(train.codes[of], learned, classes)
        return float(task.score(probe(test.codes[b][whole]), wanted[whole])[figure])

    across, ceiling = score(a), score(b)
    floor = float(task.score(constant(learned, classes, int(whole.sum())), wanted[whole])[figure])
    ratio = (across - floor) / (ceiling - floor) if ceiling != floor else float("nan")
    return {figure: across, "ceiling": ceiling, "chance": floor, "ratio": ratio}


def constant(target: np.ndarray, classes: int, rows: int) -> np.ndarray:
    """The shares of the classes, or the mean, said of all rows."""
    if not classes:
        return np.full(rows, np.nanmean(target))
    return np.tile(np.bincount(target[target >= 0], minlength=classes) / (target >= 0).sum(), (rows, 1))


def summary(runs: list[Any]) -> Figures:
    """Over seeds and folds: mean, sample deviation and every run's value, wherever there is a number."""
    first = runs[0]
    if isinstance(first, dict):
        return {name: summary([run[name] for run in runs]) for name in first}
    return {**mean_std(runs), "values": list(runs)}
