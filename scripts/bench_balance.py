"""What a training step costs through the learner, and what a balancer adds to it, each against a rival in one run.

`python scripts/bench_balance.py [NAME ...]`, of plain, pcgrad. Times are CPU time, the lower quartile of all steps of
several turns, so that they mean something on a machine that is not idle; a ratio says more than a time does.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as L
import torch
from bench import Row, main, prepared, settings
from torch import nn
from torch.utils.data import DataLoader

from mmfuse.balance.cagrad import CAGrad
from mmfuse.balance.gradnorm import GradNorm
from mmfuse.balance.mgda import MGDA
from mmfuse.balance.pcgrad import PCGrad
from mmfuse.balance.plain import Plain
from mmfuse.data.columns import Stored
from mmfuse.encoders.lenet import LeNet
from mmfuse.encoders.mlp import MLP
from mmfuse.fusion.concat import ConcatFusion
from mmfuse.learner.fit import Patience, build
from mmfuse.learner.learner import Learner
from mmfuse.listener import Listener
from mmfuse.models.feature import FeatureFusion
from mmfuse.run.loader import loader
from mmfuse.schedules.synchronous import Synchronous
from mmfuse.tasks.losses import losses as losses_of
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.regression import Regression
from mmfuse.types import Balancer, Batch, Encoder, Model, Ragged, Step, Task

TASKS: dict[str, Task] = {
    "kind": Multiclass([str(k) for k in range(10)]),
    "answer": Multiclass(["no", "yes"]),
    "score": Regression(),
}
NAMES = [f"task/{t}" for t in TASKS]
MODALITIES = ("first", "second")
WARM, STEPS, TURNS, ROWS, SIZE = 20, 150, 6, 4096, 64
CLIP = 1.0


class Setting(NamedTuple):
    """Two modalities of one kind, all tasks read off what they have in common."""

    encoder: Callable[[], Encoder]
    shape: tuple[int, ...]  # of a row
    goal: float  # of the step's time, against a hand-written loop's

    def model(self) -> Model:
        torch.manual_seed(0)
        return FeatureFusion({m: self.encoder() for m in MODALITIES}, TASKS, partial(ConcatFusion, dim=128))

    def rows(self) -> DataLoader[Batch]:
        dice, ones = torch.Generator().manual_seed(0), torch.ones(ROWS, dtype=torch.long)
        columns = {m: Stored(Ragged(torch.randn(ROWS, *self.shape, generator=dice), ones)) for m in MODALITIES}
        targets = {
            "kind": torch.randint(0, 10, (ROWS,), generator=dice),
            "answer": torch.randint(0, 2, (ROWS,), generator=dice),
            "score": torch.randn(ROWS, generator=dice),
        }
        return loader(settings(SIZE), prepared(columns, targets, ROWS), np.arange(ROWS), 0)


SETTINGS = {
    "MLPs": Setting(partial(MLP, 128, 256), (128,), 1.15),
    "LeNets": Setting(partial(LeNet, 1, 6, 2), (1, 20, 20), 1.05),
}


# ---- plain: a step through the learner and Lightning's trainer, against a hand-written loop


def plain() -> Iterator[Row]:
    for name, setting in SETTINGS.items():
        ours, rival = [], []
        for _ in range(TURNS):
            ours += through_learner(setting, Plain(NAMES))
            rival += by_hand(setting)
        goal = ("<", setting.goal)
        yield Row(f"a plain step of two {name}", quick(ours), quick(rival), goal, "ms")


def quick(seconds: list[float]) -> float:
    """What a quarter of the steps took less than, in ms."""
    return 1e3 * float(np.quantile(seconds, 0.25))


class Clock(L.Callback):
    """The CPU time at the end of each step."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.ends.append(time.process_time())


def adamw(params: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(params, lr=2e-3)


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


# ---- pcgrad: what those that take gradients apart need, in backward passes of the plain sum's


def pcgrad() -> Iterator[Row]:
    for name, setting in SETTINGS.items():
        model, batch = setting.model().train(), next(iter(setting.rows()))
        parts = {n: [p for part in ps for p in part.parameters()] for n, ps in model.parts().items()}
        balancers: dict[str, Balancer] = {
            "plain": Plain(NAMES),
            "pcgrad": PCGrad(NAMES),
            "cagrad": CAGrad(NAMES),
            "mgda": MGDA(NAMES),
            "gradnorm": GradNorm(NAMES),
        }
        took: dict[str, list[float]] = {b: [] for b in balancers}
        for turn in range(60):
            for b, balancer in balancers.items():
                seconds = backward(model, parts, batch, balancer)
                if turn > 4:
                    took[b].append(seconds)
        for b in balancers:
            if b != "plain":
                goal = ("<", len(NAMES) + 0.5) if b == "pcgrad" else None
                unit = "ms, all that follows the losses, against the plain sum's backward pass; 3 losses"
                yield Row(f"{b}, two {name}", quick(took[b]), quick(took["plain"]), goal, unit)


def backward(model: Model, parts: dict[str, Any], batch: Batch, balancer: Balancer) -> float:
    outputs = model(batch.signals)
    step = Step(losses_of(TASKS, outputs, batch), outputs, batch, TASKS, parts, 0)
    model.zero_grad()
    start = time.process_time()
    balancer(step).backward()
    return time.process_time() - start


PARTS = {part.__name__: part for part in (plain, pcgrad)}


if __name__ == "__main__":
    main(PARTS, __doc__)
