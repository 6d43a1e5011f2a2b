"""Stacking: a logistic regression learns from what each modality said of rows that it had not been trained on.

Each modality learns the task by itself. The training rows are divided into `folds` parts, whole groups together; for
each part models are trained on the other parts and asked about this one, and a multinomial logistic regression learns
the classes from the modalities' probabilities [p_1; ...; p_M] that were found in this way (Wolpert, Stacked
Generalization, 1992, https://doi.org/10.1016/S0893-6080(05)80023-1; probabilities as its inputs: Ting and Witten,
Issues in Stacked Generalization, 1999, https://doi.org/10.1613/jair.594). So it takes `folds` + 1 trainings. While they
last, and the figures of epochs with them, what comes out is the mean of the probabilities. For model=late and one class
of several. An absent modality's probabilities are zeros, while the regression learns and when it is asked.
Parameters: none that a step changes; the regression has C (M C + 1) coefficients.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from mmfuse.fusion.decision import Decision, log_mean, own_loss
from mmfuse.types import Fused, Losses, Signals, Task


class StackingFusion(Decision):
    taught: Bool[Tensor, ""]
    weight: Float[Tensor, "C MC"]
    bias: Float[Tensor, " C"]

    def __init__(self, dims: dict[str, int], folds: int = 5, regularization: float = 1.0):
        super().__init__(dims)
        if folds < 2:
            raise ValueError(f"folds={folds}: at least 2 are needed")
        if regularization <= 0:
            raise ValueError(f"regularization={regularization}: more than 0 is needed")
        self.folds, self.regularization = folds, regularization
        self.register_buffer("taught", torch.tensor(False))
        self.register_buffer("weight", torch.zeros(self.dim, len(dims) * self.dim))
        self.register_buffer("bias", torch.zeros(self.dim))

    def fuse(self, signals: Signals) -> Fused:
        heard = self.heard(signals)
        logs = heard.logits.log_softmax(dim=2)  # (B, M, C)
        said = logs.exp().masked_fill(~heard.present.unsqueeze(-1), 0.0).flatten(1)  # (B, M C)
        learned = (said @ self.weight.T + self.bias).log_softmax(dim=1)
        decided = torch.where(self.taught, learned, log_mean(logs, heard.present))

        def lesson(task: Task, target: Tensor, rows: Tensor) -> Losses:
            return {"task": own_loss(task, heard, target)}

        return Fused(self.said(decided, heard.present), lesson=lesson)

    def teach(
        self, said: Float[np.ndarray, "N M C"], target: Int[np.ndarray, " N"], weights: Sequence[float] | None = None
    ) -> None:
        """From probabilities, zeros where a modality is absent. A class without rows is ruled out."""
        known = target >= 0
        counts = None if weights is None else np.asarray(weights)[target[known]]
        regression = LogisticRegression(C=1 / self.regularization, max_iter=1000)
        regression.fit(said[known].reshape(known.sum(), -1), target[known], counts)
        classes = regression.classes_
        weight, bias = regression.coef_, regression.intercept_
        if len(classes) == 2:  # scikit-learn has one line then, of the second class against the first
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        self.weight.zero_()
        self.bias.fill_(-1e4)
        self.weight[classes] = torch.from_numpy(weight).to(self.weight)
        self.bias[classes] = torch.from_numpy(bias).to(self.bias)
        self.taught.fill_(True)
