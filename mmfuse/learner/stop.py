"""Signals end training at the end of a step, with a checkpoint: Ctrl-C (SIGINT), SIGTERM, and Slurm's SIGUSR1."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as L

from mmfuse.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class Stop(L.Callback):
    """A second signal does not wait for the step to end."""

    def __init__(self, checkpoint: Path):
        self.checkpoint = checkpoint
        self.received: int | None = None
        self.before: dict[int, Any] = {}

    def on_train_start(self, trainer: L.Trainer, learner: L.LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():  # no other may set handlers: a notebook, say
            self.before = {number: signal.signal(number, self.receive) for number in SIGNALS}

    def receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise Interrupted(number)
        self.received = number

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if self.received is not None:
            trainer.save_checkpoint(self.checkpoint)
            raise Interrupted(self.received)

    def on_train_end(self, trainer: L.Trainer, learner: L.LightningModule) -> None:
        self.restore()
        if self.received is not None:  # it came after the last step
            raise Interrupted(self.received)

    def on_exception(self, trainer: L.Trainer, learner: L.LightningModule, exception: BaseException) -> None:
        self.restore()

    def restore(self) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.before = {}
