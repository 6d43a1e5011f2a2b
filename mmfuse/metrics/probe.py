"""What can be told from codes: a linear model fitted on those of some rows, and asked about those of others.

Logistic or ridge regression by scikit-learn, on standardized codes (Alain and Bengio, Understanding Intermediate Layers
Using Linear Classifier Probes, 2016, https://arxiv.org/abs/1610.01644).
"""

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler


class Probe:
    """Of classes (N,) or numbers (N,), by the target's dtype. Rows with NaN in their codes or no label are left out."""

    def __init__(self, codes: np.ndarray, target: np.ndarray, classes: int):
        """`classes` is how many there are; 0 where the target is a number."""
        labelled = ~np.isnan(target) if target.dtype.kind == "f" else target >= 0
        known = labelled & ~np.isnan(codes).any(axis=1)
        self.classes, self.scaler = classes, StandardScaler().fit(codes[known])
        model = LogisticRegression(max_iter=1000) if classes else Ridge()
        self.model = model.fit(self.scaler.transform(codes[known]), target[known])

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """(N, K) probabilities, or (N,) numbers; of whole codes only."""
        codes = self.scaler.transform(codes)
        if not self.classes:
            return self.model.predict(codes)
        said = np.zeros((len(codes), self.classes))
        said[:, self.model.classes_] = self.model.predict_proba(codes)
        return said
