"""The average of the weights over training, which is what is validated, kept as the best, and tested.

`ema`: w' = decay w' + (1 - decay) w after each step (Polyak and Juditsky, 1992, https://doi.org/10.1137/0330046, with a
decay). `swa`: the plain mean of the weights at the ends of epochs (Izmailov et al., 2018,
https://arxiv.org/abs/1803.05407; their high learning rate is `optimizer.lr`, and the statistics of batches are averaged
with the weights, where they go through the data once more). Both begin with the weights of epoch `start`, and until
then the weights are as they are.

Lightning's own callback, which swaps weights around validation and has in a checkpoint both the average ("state_dict")
and what goes on being trained. It would validate and save its initial weights while nothing is averaged yet.
"""

from typing import Any, Literal, NamedTuple

import pytorch_lightning as L
from pytorch_lightning.callbacks.weight_averaging import WeightAveraging
from torch import Tensor

Kind = Literal["none", "ema", "swa"]


class Averaging(NamedTuple):
    kind: Kind = "none"
    decay: float = 0.999
    start: int = 0  # epoch


NO_AVERAGE = Averaging()


def average(averaged: Tensor, current: Tensor, number: Tensor | int, share: float | None) -> Tensor:
    """`share` is the old average's; None: n / (n + 1) after n. Counts and marks are not averaged.

    >>> import torch
    >>> average(torch.tensor(2.0), torch.tensor(5.0), 2, None), average(torch.tensor([7]), torch.tensor([8]), 2, 0.9)
    (tensor(3.), tensor([8]))
    """
    if not averaged.is_floating_point():
        return current
    return averaged.lerp(current, float(1 / (number + 1)) if share is None else 1 - share)


class Average(WeightAveraging):
    def __init__(self, averaging: Averaging):
        kind, decay, start = averaging
        if not 0 <= decay < 1 or start < 0:
            raise ValueError(f"averaging.decay={decay}, averaging.start={start}: from 0, and decay under 1")
        share = decay if kind == "ema" else None
        super().__init__(avg_fn=lambda averaged, current, number: average(averaged, current, number, share))
        self.kind, self.start = kind, start

    @property
    def began(self) -> bool:
        return self._average_model is not None and bool(self._average_model.n_averaged)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Before validation, which comes after an epoch's last batch and before its end."""
        due = self.kind == "ema" or trainer.is_last_batch
        if trainer.current_epoch >= self.start and due:
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.began:
            super().on_validation_epoch_start(trainer, pl_module)

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.began:
            super().on_validation_epoch_end(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.began:
            super().on_train_end(trainer, pl_module)

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        if self.began:
            super().on_save_checkpoint(trainer, pl_module, checkpoint)
            now = checkpoint["current_model_state"]  # what parts keep besides tensors has no average
            checkpoint["state_dict"] |= {name: now[name] for name in now if name.endswith("_extra_state")}

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        if "averaging_state" in checkpoint:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)
