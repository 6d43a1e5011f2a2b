"""A training step through the learner and Lightning's trainer, against a hand-written loop. CPU time, one thread.

The same model, losses, clipping and optimizer, and the loss told at each step; the median of all steps.
"""

import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytorch_lightning as L
import torch
from torch import nn

from benches.row import Row
from benches.step_models import NAMES, SETTINGS, TASKS, Setting, adamw
from mmfuse.balance.plain import Plain
from mmfuse.learner.fit import Patience, build
from mmfuse.learner.learner import Learner
from mmfuse.listener import Listener
from mmfuse.schedules.synchronous import Synchronous
from mmfuse.types import Balancer

WARM, STEPS, TURNS = 20, 100, 4
CLIP = 1.0


def rows(turns: int = TURNS) -> Iterator[Row]:
    for name, setting in SETTINGS.items():
        ours, rival = [], []
        for _ in range(turns):
            ours += through_learner(setting, Plain(NAMES))
            rival += by_hand(setting)
        goal = ("<", setting.goal)
        yield Row(f"a plain step of two {name}", 1e3 * median(ours), 1e3 * median(rival), goal, "ms")


class Clock(L.Callback):
    """The CPU time at the end of each step."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.ends.append(time.process_time())


def through_learner(setting: Setting, balancer: Balancer) -> list[float]:
    """Seconds of each step, with all that belongs to a run but its validation."""
    learner = Learner(setting.model(), TASKS, {}, balancer, Synchronous(), adamw)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = build(partial(made, clock), Path(folder), Patience("val/loss", "min", 5, 0.0), Listener())
        trainer.fit(learner, setting.rows())
    return np.diff(clock.ends[WARM:]).tolist()


def made(clock: Clock, callbacks: list[L.Callback], **parts: Any) -> L.Trainer:
    return L.Trainer(
        accelerator="cpu",
        gradient_clip_val=CLIP,
        max_steps=WARM + STEPS,
        limit_val_batches=0,
        callbacks=[*(c for c in callbacks if c.__class__.__module__.startswith("mmfuse.learner")), clock],
        **parts,
    )


def by_hand(setting: Setting) -> list[float]:
    """The same model, losses, clipping and optimizer, and the loss told at each step."""
    model, rows = setting.model().train(), setting.rows()
    optimizer, told, ends = adamw(model.parameters()), 0.0, []
    while len(ends) < WARM + STEPS:
        for batch in rows:
            said = model(batch.signals).predictions
            total = torch.stack([task.loss(said[t], batch.targets[t]) for t, task in TASKS.items()]).sum()
            optimizer.zero_grad()
            total.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            told += total.item()
            ends.append(time.process_time())
    return np.diff(ends[WARM : WARM + STEPS]).tolist()
