"""Training can end at any step and lose nothing: by a signal, or by a machine that dies.

A checkpoint falls where a step is whole: no gradients wait to be added up, and no validation is due, for what comes
after it would not be made up for. Besides those at epochs' ends there is one every few minutes, so that long epochs are
not lost; it waits longer where saving takes long (pace.py).

Several ranks stop at the same step: every few steps, about once a second where steps are slow, each hears whether
another was told to.
"""

import signal
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as L

from mmfuse.errors import Interrupted
from mmfuse.learner.gathered import largest
from mmfuse.learner.pace import Pace
from mmfuse.ranks import here
from mmfuse.signals import handled_by

OFTEN = 8  # steps, at most, after which ranks hear of each other


class Stop(L.Callback):
    """A second signal does not wait for the step to end."""

    def __init__(self, checkpoint: Path, minutes: float, pace: Pace):
        if minutes <= 0:
            raise ValueError(f"checkpoint_minutes={minutes}: more than 0 is needed")
        self.checkpoint, self.seconds, self.pace = checkpoint, minutes * 60, pace
        self.received: int | None = None
        self.handlers = ExitStack()
        self.wait, self.steps, self.since = 1, 0, 0.0  # steps from one agreement to the next; since the last, and when

    def on_train_start(self, trainer: L.Trainer, learner: L.LightningModule) -> None:
        self.handlers.enter_context(handled_by(self.receive))
        self.since = time.monotonic()

    def receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise Interrupted(number)
        self.received = number

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if here().ranks == 1 and self.received is None and not self.pace.waited(self.seconds):
            return
        if not whole(trainer):
            return
        number, due = self.agreed() if here().ranks > 1 else (self.received, True)
        if number is None and not due:
            return
        with handled_by(signal.SIG_IGN), self.pace.saving():  # an impatient second Ctrl-C must not tear the file
            trainer.save_checkpoint(self.checkpoint)
        if number is not None:
            raise Interrupted(number)

    def agreed(self) -> tuple[int | None, bool]:
        """The signal that any rank received, and whether a checkpoint is due; nothing between agreements."""
        self.steps += 1
        if self.steps < self.wait:
            return None, False
        now = time.monotonic()
        step = (now - self.since) / self.steps  # seconds
        number, due, slowest = largest([float(self.received or 0), float(self.pace.waited(self.seconds)), step])
        self.wait = max(1, min(OFTEN, int(1 / max(slowest, 1e-9))))
        self.steps, self.since = 0, now
        return int(number) or None, bool(due)

    def on_train_end(self, trainer: L.Trainer, learner: L.LightningModule) -> None:
        number = int(largest([float(self.received or 0)])[0])
        self.handlers.close()
        if number:  # it came after the last step
            raise Interrupted(number)

    def on_exception(self, trainer: L.Trainer, learner: L.LightningModule, exception: BaseException) -> None:
        self.handlers.close()


def whole(trainer: L.Trainer) -> bool:
    """Whether the batch that ends leaves nothing half-done; an epoch's last one leaves its validation."""
    loop = trainer.fit_loop.epoch_loop
    last = bool(trainer.is_last_batch)
    return not (last or loop._should_accumulate() or loop._should_check_val_fx(trainer.fit_loop._data_fetcher))
