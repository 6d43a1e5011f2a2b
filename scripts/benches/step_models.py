"""What training steps are timed on: two modalities of one kind, three tasks read off what they have in common."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader

from benches.held import prepared, settings
from mmfuse.data.columns import Stored
from mmfuse.encoders.lenet import LeNet
from mmfuse.encoders.mlp import MLP
from mmfuse.fusion.concat import ConcatFusion
from mmfuse.models.feature import FeatureFusion
from mmfuse.run.loader import loader
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.regression import Regression
from mmfuse.types import Batch, Encoder, Model, Ragged, Task

TASKS: dict[str, Task] = {
    "kind": Multiclass([str(k) for k in range(10)]),
    "answer": Multiclass(["no", "yes"]),
    "score": Regression(),
}
NAMES = [f"task/{t}" for t in TASKS]
MODALITIES = ("first", "second")
ROWS, SIZE = 4096, 64


class Setting(NamedTuple):
    encoder: Callable[[], Encoder]
    shape: tuple[int, ...]  # of a row
    goal: float  # of the step's time, against a hand-written loop's

    def model(self) -> Model:
        torch.manual_seed(0)
        return FeatureFusion({m: self.encoder() for m in MODALITIES}, TASKS, partial(ConcatFusion, dim=128))

    def rows(self) -> DataLoader[Batch]:
        dice, ones = torch.Generator().manual_seed(0), torch.ones(ROWS, dtype=torch.long)
        columns = {m: Stored(Ragged(torch.randn(ROWS, *self.shape, generator=dice), ones)) for m in MODALITIES}
        targets = {
            "kind": torch.randint(0, 10, (ROWS,), generator=dice),
            "answer": torch.randint(0, 2, (ROWS,), generator=dice),
            "score": torch.randn(ROWS, generator=dice),
        }
        return loader(settings(SIZE), prepared(columns, targets, ROWS), np.arange(ROWS), 0)


SETTINGS = {
    "MLPs": Setting(partial(MLP, 128, 256), (128,), 1.15),
    "LeNets": Setting(partial(LeNet, 1, 6, 2), (1, 20, 20), 1.05),
}


def adamw(params: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(params, lr=2e-3)
