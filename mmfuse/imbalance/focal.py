"""Rows that are already told well weigh less in the loss, by (1 - p)^gamma of the true class's probability p.

Lin et al. 2017, Focal Loss for Dense Object Detection, https://arxiv.org/abs/1708.02002, without their alpha. The mean
is over rows, as cross-entropy's; theirs is over the foreground's boxes.
"""

import numpy as np

from mmfuse.imbalance.imbalance import Imbalance
from mmfuse.tasks.multiclass import Multiclass


class Focal(Imbalance):
    def __init__(self, gamma: float = 2.0):
        if gamma < 0:
            raise ValueError(f"gamma={gamma}: at least 0 is needed; 0 is cross-entropy")
        self.gamma = gamma

    def task(self, task: Multiclass, target: np.ndarray) -> Multiclass:
        return Multiclass(task.classes, task.weights, self.gamma)
