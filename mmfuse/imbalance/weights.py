"""Rows of rarer classes weigh more in the loss: n / (K n_k) for a class of n_k of the n rows, K classes.

scikit-learn's "balanced" class weights (King and Zeng 2001, https://gking.harvard.edu/files/0s.pdf), over the training
rows. A class without training rows weighs 1, which is only seen in the validation loss.
"""

import numpy as np

from mmfuse.imbalance.imbalance import Imbalance
from mmfuse.tasks.multiclass import Multiclass


class Weights(Imbalance):
    def task(self, task: Multiclass, target: np.ndarray) -> Multiclass:
        from sklearn.utils.class_weight import compute_class_weight

        known = target[target >= 0]
        there = np.unique(known)
        weights = np.ones(task.size)
        weights[there] = compute_class_weight("balanced", classes=there, y=known)
        return Multiclass(task.classes, weights.tolist(), task.gamma)
