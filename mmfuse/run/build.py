"""What is trained: a model of the parts that the config names, and the learner that trains it."""

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from mmfuse.config import target as targets
from mmfuse.encoders.learned_token import LearnedToken
from mmfuse.errors import ConfigError
from mmfuse.run.make import Config, make
from mmfuse.run.prepare import Prepared
from mmfuse.types import Encoder, Model, Preparation

if TYPE_CHECKING:
    from mmfuse.learner.learner import Learner


def build(cfg: Config, prepared: Prepared, seed: int) -> Model:
    torch.manual_seed(seed)
    encoders = {}
    missing = cfg["dataset"]["missing"]
    token = missing["policy"] == "fill" and missing["fill"] == "token"
    for modality, preparation in prepared.preparations.items():
        about = {k: v for k, v in cfg["encoder"][modality].items() if k not in ("name", "prepare", "augment")}
        encoder: Encoder = make(about, f"encoder.{modality}", size=preparation.size, **taken(about, preparation))
        encoders[modality] = LearnedToken(encoder) if token else encoder
    fusion = partial(make, cfg["fusion"], "fusion")
    return make(cfg["model"], "model", encoders=encoders, tasks=prepared.tasks, fusion=fusion)


def taken(about: Config, preparation: Preparation) -> dict[str, Any]:
    """Those of a preparation's parts that the encoder has arguments for; all, where its source can't be read."""
    target = targets.read(about["_target_"])
    return {name: part for name, part in preparation.parts().items() if target is None or name in target.parameters}


def augment(cfg: Config, prepared: Prepared) -> dict[str, nn.Module]:
    """What changes the training rows of the modalities whose encoder's file names an augmentation."""
    return {
        modality: make(about, f"encoder.{modality}.augment", size=preparation.size)
        for modality, preparation in prepared.preparations.items()
        if (about := cfg["encoder"][modality].get("augment"))
    }


def learner(cfg: Config, prepared: Prepared, seed: int) -> "Learner":
    from mmfuse.learner.learner import Learner  # Lightning takes seconds to import, and `check` does without it

    try:
        return Learner(
            model=build(cfg, prepared, seed),
            tasks=prepared.tasks,
            objectives={},
            balancer=make(cfg["balance"], "balance"),
            schedule=make(cfg["schedule"], "schedule"),
            optimizer=partial(make, cfg["optimizer"], "optimizer"),
            augment=augment(cfg, prepared),
            drop=cfg["drop"],
            seed=seed,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
