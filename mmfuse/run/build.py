"""What is trained: a model of the parts that the config names, and the learner that trains it."""

from collections.abc import Sequence
from fnmatch import fnmatch
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from mmfuse.encoders.identity import Identity
from mmfuse.encoders.learned_token import LearnedToken
from mmfuse.errors import ConfigError
from mmfuse.ranks import here
from mmfuse.run.encoded import encoder_of
from mmfuse.run.make import Config, make
from mmfuse.run.prepare import Prepared
from mmfuse.types import Balancer, Encoder, Model, Objective, Schedule

if TYPE_CHECKING:
    from mmfuse.learner.learner import Learner


def build(cfg: Config, prepared: Prepared, seed: int) -> Model:
    torch.manual_seed(seed)
    encoders: dict[str, Encoder] = {}
    missing = cfg["dataset"]["missing"]
    token = missing["policy"] == "fill" and missing["fill"] == "token"
    for modality, preparation in prepared.preparations.items():
        done = prepared.encoded.get(modality)
        encoder = encoder_of(cfg, modality, preparation) if done is None else Identity(done.dim)
        encoders[modality] = LearnedToken(encoder) if token else encoder
    fusion = partial(make, cfg["fusion"], "fusion")
    completion = partial(make, cfg["completion"], "completion")
    return make(cfg["model"], "model", encoders=encoders, tasks=prepared.tasks, fusion=fusion, completion=completion)


def augment(cfg: Config, prepared: Prepared) -> dict[str, nn.Module]:
    """What changes the training rows of the modalities whose encoder's file names an augmentation."""
    return {
        modality: make(about, f"encoder.{modality}.augment", size=preparation.size)
        for modality, preparation in prepared.preparations.items()
        if (about := cfg["encoder"][modality].get("augment")) and modality not in prepared.encoded
    }


class Learning(NamedTuple):
    """What is trained, and by what rules."""

    model: Model
    objectives: dict[str, Objective]
    balancer: Balancer
    schedule: Schedule
    losses: tuple[str, ...]  # the names of those that there will be, besides a fusion's own


def parts(cfg: Config, prepared: Prepared, seed: int) -> Learning:
    model = build(cfg, prepared, seed)
    dims = {m: encoder.dim for m, encoder in model.encoders.items()}
    objectives = {
        name: make(about, f"objectives.{name}", **taken(about, dims=dims, tasks=prepared.tasks))
        for name, about in cfg["objectives"].items()
    }
    answers = [f"{what}/{task}" for what in ("task", *model.besides) for task in prepared.tasks]
    answers += [f"completion/{name}" for name in model.completion.names]
    losses = (*answers, *(name for objective in objectives.values() for name in objective.names))
    if len(set(losses)) < len(losses):
        name = next(name for name in losses if losses.count(name) > 1)
        raise ConfigError(
            f"objectives={list(objectives)}: two of them have a loss called {name}\n  to go on: one of them"
        )
    of = {"losses": losses, "modalities": tuple(dims), "tasks": prepared.tasks}
    balancer = make(cfg["balance"], "balance", **taken(cfg["balance"], **of))
    schedule = schedule_of(cfg)
    check_phases(schedule, cfg["trainer"].get("max_epochs") or -1, losses)
    check_surgery(balancer, cfg["trainer"])
    return Learning(model, objectives, balancer, schedule, losses)


def schedule_of(cfg: Config) -> Schedule:
    given = {"modalities": cfg["modalities"], "epochs": cfg["trainer"].get("max_epochs") or -1}
    schedule: Schedule = make(cfg["schedule"], "schedule", **taken(cfg["schedule"], **given))
    return schedule


def taken(about: Config, **given: Any) -> dict[str, Any]:
    """Of what could be given to a part, what it takes."""
    from hydra.utils import get_class

    names = signature(get_class(about["_target_"])).parameters
    return {name: value for name, value in given.items() if name in names}


def check_phases(schedule: Schedule, epochs: int, losses: Sequence[str]) -> None:
    """Each epoch has something to learn from."""
    for epoch in range(min(max(epochs, 1), 1000)):
        wanted = schedule(epoch, 0).losses
        if not any(fnmatch(name, pattern) for name in losses for pattern in wanted):
            raise ConfigError(
                f"schedule: epoch {epoch} learns from {' and '.join(wanted)}, and the losses are {', '.join(losses)}"
                "\n  to go on: objectives=[contrastive], or another schedule"
            )


def check_surgery(balancer: Balancer, trainer: Config) -> None:
    precision, strategy = str(trainer.get("precision")), str(trainer.get("strategy", ""))
    if balancer.surgery and ("16" in precision and "bf16" not in precision):
        raise ConfigError(
            f"balance: {type(balancer).__name__} takes gradients apart, and trainer.precision={precision} scales them"
            "\n  to go on: trainer.precision=bf16-mixed"
        )
    if balancer.surgery and ("fsdp" in strategy or "deepspeed" in strategy):
        raise ConfigError(
            f"balance: {type(balancer).__name__} takes gradients apart, and trainer.strategy={strategy} shards them"
            "\n  to go on: trainer.strategy=ddp"
        )


def learner(cfg: Config, prepared: Prepared, seed: int) -> "Learner":
    return learner_of(cfg, prepared, parts(cfg, prepared, seed), seed)


def learner_of(cfg: Config, prepared: Prepared, learning: Learning, seed: int) -> "Learner":
    from mmfuse.learner.learner import Learner  # Lightning takes seconds to import, and `check` does without it
    from mmfuse.learner.penalty import Penalty
    from mmfuse.learner.rates import Rates
    from mmfuse.learner.sharded import ShardedLearner

    shared = here().ranks > 1 and cfg["trainer"].get("strategy") == "fsdp"
    try:
        return (ShardedLearner if shared else Learner)(
            model=learning.model,
            tasks=prepared.tasks,
            objectives=learning.objectives,
            balancer=learning.balancer,
            schedule=learning.schedule,
            optimizer=partial(make, cfg["optimizer"], "optimizer"),
            rates=Rates(**cfg["rates"]),
            augment=augment(cfg, prepared),
            drop=cfg["drop"],
            penalty=Penalty(**cfg["penalty"]),
            mixup=cfg["mixup"],
            seed=seed,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
