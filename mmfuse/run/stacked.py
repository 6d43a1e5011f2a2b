"""Out-of-fold answers, which stacking learns from: of each training row, by a model that has not seen it."""

import shutil
from pathlib import Path

import numpy as np
import torch

from mmfuse.data import splits
from mmfuse.errors import ConfigError
from mmfuse.fusion.stacking import StackingFusion
from mmfuse.listener import Listener
from mmfuse.ranks import here
from mmfuse.record.history import History
from mmfuse.record.status import Status
from mmfuse.run.build import build, learner
from mmfuse.run.loader import loader
from mmfuse.run.make import Config
from mmfuse.run.prepare import Prepared
from mmfuse.run.recording import Recording
from mmfuse.run.settings import averaging, patience
from mmfuse.run.trainer import maker
from mmfuse.types import Examples, Model

Answers = dict[str, np.ndarray]  # by task: (N, M, C) probabilities, zeros where a row lacks the modality


def stacks(model: Model) -> dict[str, StackingFusion]:
    """By task."""
    return {
        t: part
        for name, part in model.named_modules()
        if isinstance(part, StackingFusion) and (t := name.rpartition("fusion.")[2])
    }


def refuse_unless_divided(model: Model, examples: Examples, prepared: Prepared, task: str) -> None:
    """Told before anything is trained: rows that stream, classes with too few rows."""
    if not (found := stacks(model)):
        return
    if prepared.stream is not None:
        raise ConfigError("fusion=stacking divides the training rows, and these stream\n  to go on: fusion=average")
    if model.completion.names:
        raise ConfigError(
            "fusion=stacking learns from what each modality says alone, and completion gives it the others as well"
            "\n  to go on: completion=none, or fusion=average"
        )
    splits.parts(examples, task, prepared.split.train, next(iter(found.values())).folds, 0)


def out_of_fold(
    cfg: Config, examples: Examples, prepared: Prepared, seed: int, place: Path, listener: Listener, status: Status
) -> Answers:
    from mmfuse.learner.checkpoints import newest
    from mmfuse.learner.fit import fit, predict

    stacked, modalities = stacks(build(cfg, prepared, seed)), list(prepared.columns)
    found = {t: np.zeros((len(examples), len(modalities), fusion.dim)) for t, fusion in stacked.items()}
    folds = next(iter(stacked.values())).folds
    train = prepared.split.train
    for k, asked in enumerate(splits.parts(examples, cfg["tasks"][0], train, folds, seed)):
        seen = prepared.seen[np.isin(prepared.seen, np.setdiff1d(train, asked))]
        folder = place / "stacking" / f"part {k + 1} of {folds}"
        folder.mkdir(parents=True, exist_ok=True)
        left = newest(folder / "checkpoints")
        part = prepared._replace(split=prepared.split._replace(train=np.setdiff1d(train, asked)), seen=seen)
        trained = learner(cfg, part, seed)
        trainer = fit(
            trained,
            maker(cfg["trainer"]),
            loader(cfg, part, seen, seed),
            loader(cfg, part, part.split.val, None),
            folder / "checkpoints",
            patience(cfg, part.tasks, trained.schedule),
            Recording(listener, History(folder / "history.csv", 0 if left is None else left.epoch), status),
            averaging(cfg),
            cfg["checkpoint_minutes"],
            left,
        )
        for m, modality in enumerate(modalities):
            for t, units in predict(trained, trainer, loader(cfg, part, asked, None), {modality}).items():
                has = (units.prediction != 0).any(dim=1, keepdim=True)  # zeros are what is said of nothing
                said = torch.where(has, units.prediction.double().softmax(dim=1), 0.0)
                found[t][units.place.numpy(), m] = said.numpy()
    if here().first:
        shutil.rmtree(place / "stacking")
    return {t: said[train] for t, said in found.items()}


def teach(trained: Model, examples: Examples, prepared: Prepared, answers: Answers) -> None:
    for t, fusion in stacks(trained).items():
        fusion.teach(answers[t], examples.targets[t][prepared.split.train], getattr(prepared.tasks[t], "weights", None))
