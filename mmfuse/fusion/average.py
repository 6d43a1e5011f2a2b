"""The average of decisions: the mean of the modalities' probabilities, or of their logits.

Of probabilities, p = sum of p_m / M, the sum rule (Kittler et al., On Combining Classifiers, 1998,
https://doi.org/10.1109/34.667881). Of logits, it is the geometric mean of the probabilities, made to sum to 1: who is
sure that it is not a class has a veto. For model=late and one class of several. An absent modality is left out.
Parameters: none.
"""

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor

from mmfuse.fusion.decision import Rule, log_mean


class AverageFusion(Rule):
    def __init__(self, dims: dict[str, int], of: Literal["probabilities", "logits"] = "probabilities"):
        super().__init__(dims)
        self.of = of

    def decide(self, logs: Float[Tensor, "B M C"], present: Bool[Tensor, "B M"]) -> Float[Tensor, "B C"]:
        if self.of == "probabilities":
            return log_mean(logs, present)
        total = logs.masked_fill(~present.unsqueeze(-1), 0.0).sum(dim=1)  # (B, C)
        return (total / present.sum(dim=1, keepdim=True).clamp(min=1)).log_softmax(dim=1)
