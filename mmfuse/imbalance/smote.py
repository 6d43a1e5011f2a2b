"""New rows of the smaller classes, between a row and one of its nearest neighbours of the same class.

SMOTE (Chawla et al. 2002, https://arxiv.org/abs/1106.1813), by imbalanced-learn. A row's vectors of all
modalities are one long vector here: the neighbour b and lambda of x = a + lambda (b - a) are the same for all, so that
a new row's modalities belong together.
"""

from collections.abc import Sequence

import numpy as np

from mmfuse.errors import DataError
from mmfuse.imbalance.imbalance import Imbalance


class Smote(Imbalance):
    makes_rows = True

    def __init__(self, k_neighbors: int = 5, seed: int = 0):
        if k_neighbors < 1:
            raise ValueError(f"k_neighbors={k_neighbors}: at least 1 is needed")
        self.k_neighbors, self.seed = k_neighbors, seed

    def new_rows(
        self, vectors: np.ndarray, target: np.ndarray, classes: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        from imblearn.over_sampling import SMOTE

        known = target >= 0
        vectors, target = vectors[known], target[known]
        found, counts = np.unique(target, return_counts=True)
        small = counts.argmin()
        if len(found) < 2 or counts.min() == counts.max():
            return vectors[:0], target[:0]
        if counts[small] <= self.k_neighbors:
            n = int(counts[small])
            raise DataError(
                f"imbalance=smote: class '{classes[found[small]]}' has {n} training row{'s' * (n != 1)},"
                f" too few for {self.k_neighbors} neighbours of each\n  to go on: "
                + (f"imbalance.k_neighbors={n - 1}" if n > 1 else "imbalance=oversample; one row has no neighbour")
            )
        grown, labels = SMOTE(k_neighbors=self.k_neighbors, random_state=self.seed).fit_resample(vectors, target)
        return grown[len(vectors) :].astype(vectors.dtype), labels[len(vectors) :]
