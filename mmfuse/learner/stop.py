"""A signal ends training at the end of a step, with a checkpoint."""

import signal
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as L

from mmfuse.errors import Interrupted
from mmfuse.signals import handled_by


class Stop(L.Callback):
    """A second signal does not wait for the step to end."""

    def __init__(self, checkpoint: Path):
        self.checkpoint = checkpoint
        self.received: int | None = None
        self.handlers = ExitStack()

    def on_train_start(self, trainer: L.Trainer, learner: L.LightningModule) -> None:
        self.handlers.enter_context(handled_by(self.receive))

    def receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise Interrupted(number)
        self.received = number

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if self.received is not None:
            with handled_by(signal.SIG_IGN):  # an impatient second Ctrl-C must not tear the file
                trainer.save_checkpoint(self.checkpoint)
            raise Interrupted(self.received)

    def on_train_end(self, trainer: L.Trainer, learner: L.LightningModule) -> None:
        self.handlers.close()
        if self.received is not None:  # it came after the last step
            raise Interrupted(self.received)

    def on_exception(self, trainer: L.Trainer, learner: L.LightningModule, exception: BaseException) -> None:
        self.handlers.close()
