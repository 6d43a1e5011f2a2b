"""Early stopping and the best epoch, from the epoch on at which a schedule has prepared what is to be judged."""

from typing import Any

import pytorch_lightning as L
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

from mmfuse.learner.gathered import largest
from mmfuse.learner.pace import Pace


class Settled(L.Callback):
    """In front of a callback that judges epochs: it hears of none before the first that may be judged."""

    def __init__(self, settles: int, **settings: Any):
        super().__init__(**settings)
        self.settles = settles

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.current_epoch >= self.settles:
            super().on_validation_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.current_epoch >= self.settles:
            super().on_train_epoch_end(trainer, pl_module)


class Early(Settled, EarlyStopping):
    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Where it had said stop before the run was gone on with, it says so again."""
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


class Best(Settled, ModelCheckpoint):
    on_train_batch_end = None  # nothing is saved after so many steps, and no step asks


class Last(ModelCheckpoint):
    """After an epoch, or where validation is more often after that, as the pace allows; and after the last one."""

    on_train_batch_end = None

    def __init__(self, pace: Pace, **settings: Any):
        super().__init__(**settings)
        self.pace = pace

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.wanted(trainer):
            super().on_validation_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.wanted(trainer):
            super().on_train_epoch_end(trainer, pl_module)

    def _save_checkpoint(self, trainer: L.Trainer, filepath: str) -> None:
        with self.pace.saving():
            super()._save_checkpoint(trainer, filepath)

    def wanted(self, trainer: L.Trainer) -> bool:
        """All ranks save, or none."""
        return bool(largest([float(ends(trainer) or self.pace.due)])[0])


def ends(trainer: L.Trainer) -> bool:
    """Whether this epoch may be the last."""
    epochs, steps = trainer.max_epochs or -1, trainer.max_steps
    return trainer.should_stop or 0 < epochs <= trainer.current_epoch + 1 or 0 < steps <= trainer.global_step
