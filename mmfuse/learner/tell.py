"""Passes on to a listener, which knows nothing of trainers, how training goes."""

import time
from typing import Any

import pytorch_lightning as L

from mmfuse.learner.learner import Learner
from mmfuse.listener import Listener
from mmfuse.types import Batch


class Tell(L.Callback):
    def __init__(self, listener: Listener):
        self.listener = listener
        self.began = 0.0

    def on_train_start(self, trainer: L.Trainer, learner: L.LightningModule) -> None:
        self.began = time.perf_counter()  # an epoch that is gone on with does not start

    def on_train_epoch_start(self, trainer: L.Trainer, learner: L.LightningModule) -> None:
        self.began = time.perf_counter()

    def on_train_batch_end(
        self, trainer: L.Trainer, learner: L.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        self.listener.step(batch_idx + 1, len(batch.rows), outputs["told"])

    def on_train_epoch_end(self, trainer: L.Trainer, learner: L.LightningModule) -> None:
        assert isinstance(learner, Learner)
        place = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        seconds = {"seconds": round(time.perf_counter() - self.began, 3)}
        self.listener.epoch(place | learner.epoch_figures() | seconds)
