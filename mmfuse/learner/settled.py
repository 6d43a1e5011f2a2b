"""Early stopping and the best epoch, from the epoch on at which a schedule has prepared what is to be judged."""

from typing import Any

import pytorch_lightning as L
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint


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


class Best(Settled, ModelCheckpoint): ...
