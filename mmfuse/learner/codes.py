"""What a trained learner's encoders say of rows, in the space that an objective made them share."""

from typing import NamedTuple

import numpy as np
import pytorch_lightning as L
import torch
from torch.utils.data import DataLoader

from mmfuse.errors import ConfigError
from mmfuse.learner.gathered import in_turn
from mmfuse.learner.learner import Learner
from mmfuse.types import Batch, Objective, Signals


class Coded(NamedTuple):
    rows: np.ndarray  # (N,) of the data set
    codes: dict[str, np.ndarray]  # by modality: (N, D), NaN where a row lacks it


class Codes(L.LightningModule):
    def __init__(self, learner: Learner):
        super().__init__()
        self.learner = learner

    def predict_step(self, batch: Batch, _: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        encoded = self.learner.model.encode(batch.signals)
        codes = shared(self.learner, encoded)
        absent = {m: ~s.present[:, None] for m, s in encoded.items()}
        return batch.rows.cpu(), {m: c.float().masked_fill(absent[m], torch.nan).cpu() for m, c in codes.items()}


def shared(learner: Learner, encoded: Signals) -> dict[str, torch.Tensor]:
    for objective in learner.objectives.values():
        assert isinstance(objective, Objective)
        if (codes := objective.shared(encoded)) is not None:
            return codes
    return {m: s.pooled() for m, s in encoded.items()}


def codes(learner: Learner, trainer: L.Trainer, rows: DataLoader[Batch]) -> Coded:
    said = in_turn(trainer.predict(Codes(learner), rows) or [], rows)
    found = {m: np.concatenate([part[m].numpy() for _, part in said]) for m in said[0][1]}
    if len({c.shape[1] for c in found.values()}) > 1:
        widths = ", ".join(f"encoder.{m}.dim={c.shape[1]}" for m, c in found.items())
        raise ConfigError(f"what one modality learned can be asked of another only in one space, but {widths}")
    return Coded(np.concatenate([part.numpy() for part, _ in said]), found)
