"""Tells training rows that stream which epoch it is; Lightning tells none but samplers."""

import pytorch_lightning as L

from mmfuse.types import BatchStream


class Epochs(L.Callback):
    def on_train_epoch_start(self, trainer: L.Trainer, learner: L.LightningModule) -> None:
        rows = getattr(trainer.train_dataloader, "dataset", None)
        if isinstance(rows, BatchStream):
            rows.set_epoch(trainer.current_epoch)
