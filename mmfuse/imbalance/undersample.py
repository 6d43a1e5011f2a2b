"""Rows of the larger classes are left out, at random, until all classes are as small as the smallest.

imbalanced-learn's RandomUnderSampler, without replacement. The same rows are left out of every epoch. Rows without a
class all stay.
"""

import numpy as np

from mmfuse.imbalance.imbalance import Imbalance, by_class


class Undersample(Imbalance):
    def __init__(self, seed: int = 0):
        self.seed = seed

    def rows(self, target: np.ndarray) -> np.ndarray:
        from imblearn.under_sampling import RandomUnderSampler

        known, unknown = by_class(target)
        sampler = RandomUnderSampler(random_state=self.seed)
        sampler.fit_resample(known[:, None], target[known])
        return np.sort(np.concatenate([unknown, known[sampler.sample_indices_]]))
