"""One run's training in a stack: all that is its own, and what is judged of it epoch by epoch, as its lone run does."""

from math import inf, nan
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from mmfuse.errors import TrainingError
from mmfuse.learner.fit import Patience
from mmfuse.learner.learner import Learner
from mmfuse.listener import Listener
from mmfuse.types import Batch


class Lane(NamedTuple):
    """What `fit` takes of a lone run."""

    learner: Learner
    train: DataLoader[Batch]
    val: DataLoader[Batch]
    patience: Patience
    clip: float | None  # the largest norm of its gradient
    listener: Listener


class Course:
    """How a lane's training went, to be told again by who writes it down."""

    def __init__(self, patience: Patience):
        self.patience = patience
        self.rows = list[dict[str, float | int]]()  # an epoch each
        self.weights = dict[str, Tensor]()  # of the best epoch
        self.place = dict[str, int]()  # that epoch, and how many steps had been taken
        self.error: TrainingError | None = None
        self.best: float | None = None  # what is kept
        self.mark = -inf if patience.mode == "max" else inf  # what has to be beaten by min_delta
        self.waited = 0
        self.stopped = False

    def judge(self, row: dict[str, float | int]) -> bool:
        """Whether the epoch that ends is the best so far. Figures are compared in single precision, as trainers do."""
        self.rows.append(row)
        figure = float(torch.tensor(row.get(self.patience.monitor, nan), dtype=torch.float32))
        sign = 1 if self.patience.mode == "max" else -1
        better = self.best is None or sign * figure > sign * self.best
        if better:
            self.best = -sign * inf if figure != figure else figure
        if sign * figure - self.patience.min_delta > sign * self.mark:
            self.mark, self.waited = figure, 0
        else:
            self.waited += 1
            self.stopped = self.waited >= self.patience.epochs
        return better
