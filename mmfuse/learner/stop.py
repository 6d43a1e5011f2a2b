"""Training can end at any step and lose nothing: by a signal, or by a machine that dies.

A checkpoint falls where a step is whole: no gradients wait to be added up, and no validation is due, for what comes
after it would not be made up for. Besides the one at each epoch's end there is one every few minutes, so that long
epochs are not lost; it waits longer where saving takes long, to cost at most a fiftieth of the time.
"""

import signal
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as L

from mmfuse.errors import Interrupted
from mmfuse.signals import handled_by

DEARTH = 50  # times as long as saving took is trained before it is saved again


class Stop(L.Callback):
    """A second signal does not wait for the step to end."""

    def __init__(self, checkpoint: Path, minutes: float):
        if minutes <= 0:
            raise ValueError(f"checkpoint_minutes={minutes}: more than 0 is needed")
        self.checkpoint, self.seconds = checkpoint, minutes * 60
        self.received: int | None = None
        self.handlers = ExitStack()
        self.due = 0.0  # when the next checkpoint is, on the monotonic clock

    def on_train_start(self, trainer: L.Trainer, learner: L.LightningModule) -> None:
        self.handlers.enter_context(handled_by(self.receive))
        self.due = time.monotonic() + self.seconds

    def receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise Interrupted(number)
        self.received = number

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if self.received is None and time.monotonic() < self.due:
            return
        if not whole(trainer):
            return
        with handled_by(signal.SIG_IGN):  # an impatient second Ctrl-C must not tear the file
            began = time.monotonic()
            trainer.save_checkpoint(self.checkpoint)
            now = time.monotonic()
            self.due = now + max(self.seconds, DEARTH * (now - began))
        if self.received is not None:
            raise Interrupted(self.received)

    def on_train_end(self, trainer: L.Trainer, learner: L.LightningModule) -> None:
        self.handlers.close()
        if self.received is not None:  # it came after the last step
            raise Interrupted(self.received)

    def on_exception(self, trainer: L.Trainer, learner: L.LightningModule, exception: BaseException) -> None:
        self.handlers.close()


def whole(trainer: L.Trainer) -> bool:
    """Whether the batch that ends leaves nothing half-done; an epoch's last one leaves its validation."""
    loop = trainer.fit_loop.epoch_loop
    last = bool(trainer.is_last_batch)
    return not (last or loop._should_accumulate() or loop._should_check_val_fx(trainer.fit_loop._data_fetcher))
