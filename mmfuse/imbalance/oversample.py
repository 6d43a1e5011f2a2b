"""Rows of the smaller classes are seen several times an epoch, until all classes are as large as the largest.

imbalanced-learn's RandomOverSampler: every row once, the rest drawn with replacement. Rows without a
class are seen once.
"""

import numpy as np

from mmfuse.imbalance.imbalance import Imbalance, by_class


class Oversample(Imbalance):
    def __init__(self, seed: int = 0):
        self.seed = seed

    def rows(self, target: np.ndarray) -> np.ndarray:
        from imblearn.over_sampling import RandomOverSampler

        known, unknown = by_class(target)
        sampler = RandomOverSampler(random_state=self.seed)
        sampler.fit_resample(known[:, None], target[known])
        return np.sort(np.concatenate([unknown, known[sampler.sample_indices_]]))
