"""The CPU time of each epoch of a training, its validation and checkpoints included."""

import time
from itertools import pairwise
from typing import Any

import pytorch_lightning as L


class EpochClock(L.Callback):
    def __init__(self) -> None:
        self.told: list[float] = []

    def on_train_epoch_start(self, *_: Any) -> None:
        self.told.append(time.process_time())

    def on_train_end(self, *_: Any) -> None:
        self.told.append(time.process_time())

    def seconds(self) -> list[float]:
        return [after - before for before, after in pairwise(self.told)]
