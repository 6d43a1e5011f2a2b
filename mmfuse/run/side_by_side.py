"""Several runs trained as one: their data opened once, their seeds stacked, and each then written as if it were alone.

A run's own record is the work of run/train.py, which is handed here what it would have trained.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as L

from mmfuse.learner.averaging import Averaging
from mmfuse.learner.checkpoints import BEST, Newest, written
from mmfuse.learner.fit import Patience, build, steps
from mmfuse.learner.lane import Course, Lane
from mmfuse.learner.learner import Learner
from mmfuse.learner.leveled import UnstackableError
from mmfuse.learner.together import Together
from mmfuse.listener import Listener
from mmfuse.record.history import History
from mmfuse.record.status import Status
from mmfuse.run.build import learner
from mmfuse.run.devices import kind
from mmfuse.run.loader import loader, training_loader
from mmfuse.run.make import Config
from mmfuse.run.opened import Opened, opened
from mmfuse.run.recording import Recording
from mmfuse.run.replicate import Given
from mmfuse.run.settings import patience
from mmfuse.run.stacked import stacks
from mmfuse.run.train import set_threads

Runs = Mapping[Path, Config]


def trained(runs: Runs, listener: Listener) -> dict[Path, Given]:
    """`UnstackableError` before anything is trained, where runs cannot be stacked."""
    first = next(iter(runs))
    if kind(runs[first]["trainer"]) != "cpu":
        raise UnstackableError("only CPUs train stacks")
    set_threads(runs[first])
    ready = opened(runs[first], first, listener)
    courses: dict[Path, dict[str, Course]] = {folder: {} for folder in runs}
    learners: dict[Path, dict[int, Learner]] = {folder: {} for folder in runs}
    for number in range(len(runs[first]["seeds"])):
        seeds = {folder: cfg["seeds"][number] for folder, cfg in runs.items()}
        lanes = [lane(folder, cfg, ready, seeds[folder]) for folder, cfg in runs.items()]
        found = Together(lanes, runs[first]["trainer"]["max_epochs"]).run()
        for folder, course, own in zip(runs, found, lanes, strict=True):
            courses[folder][f"seed-{seeds[folder]}"] = course
            learners[folder][seeds[folder]] = own.learner
    return {folder: Given(ready, learners[folder], told(courses[folder])) for folder in runs}


def lane(folder: Path, cfg: Config, ready: Opened, seed: int) -> Lane:
    prepared = ready.prepared
    trained = learner(cfg, prepared, seed)
    if stacks(trained.model):
        raise UnstackableError("its fusion learns from answers of models that have not seen the rows")
    place, status = folder / f"seed-{seed}", Status(folder)
    place.mkdir(exist_ok=True)
    status.say("running")
    return Lane(
        trained,
        training_loader(cfg, prepared, seed),
        loader(cfg, prepared, prepared.split.val, None),
        patience(cfg, prepared.tasks, trained.schedule),
        cfg["trainer"]["gradient_clip_val"],
        Recording(Listener(), History(place / "history.csv"), status),
    )


def told(courses: Mapping[str, Course]) -> Callable[..., L.Trainer]:
    """In place of learner/fit.py's `fit`: what happened is told again, and leaves what it would have left."""

    def fit(
        trained: Learner,
        make_trainer: Callable[..., L.Trainer],
        train: Any,
        val: Any,
        checkpoints: Path,
        patience: Patience,
        listener: Listener,
        averaging: Averaging,
        minutes: float,
        left: Newest | None,
    ) -> L.Trainer:
        course = courses[checkpoints.parent.name]
        trainer = build(make_trainer, checkpoints, patience, listener, averaging, minutes)
        listener.replicate(checkpoints.parent.name, trainer.max_epochs or -1, steps(train))
        for row in course.rows:
            listener.epoch(row)
        if course.error is not None:
            raise course.error
        trained.load_state_dict(course.weights)
        saved = course.place | {"state_dict": course.weights, "pytorch-lightning_version": L.__version__}
        written(saved, checkpoints / BEST)
        return trainer

    return fit
