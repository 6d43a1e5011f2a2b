"""What fusions at the level of decisions have in common: signals are logits of classes, one of which is right.

What comes out are logarithms of probabilities, (B, C), so that model=late takes them for logits as they are. An absent
modality decides nothing; a row without any is zeros, with which all classes are equally likely.
"""

from abc import abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mmfuse.fusion.vectors import stacked
from mmfuse.types import Fusion, Signal, Signals


class Decision(Fusion):
    decides = True

    def __init__(self, dims: dict[str, int]):
        super().__init__()
        if len(set(dims.values())) > 1:
            raise ValueError(
                f"decisions among the same classes are equally wide, and there are {dims}: model=late makes them"
            )
        self.dim = next(iter(dims.values()))
        self.modalities = list(dims)

    def forward(self, signals: Signals) -> Signal:
        logits, present = stacked(signals, self.modalities)  # (B, M, C), (B, M)
        decided = self.decide(logits.log_softmax(dim=2), present)  # (B, C)
        anything = present.any(dim=1)
        return Signal.vector(torch.where(anything[:, None], decided, 0.0), anything)

    @abstractmethod
    def decide(self, logs: Float[Tensor, "B M C"], present: Bool[Tensor, "B M"]) -> Float[Tensor, "B C"]:
        """From each modality's log probabilities. What is made of a row without any does not count, if it is finite."""


def log_mean(logs: Float[Tensor, "B M C"], present: Bool[Tensor, "B M"]) -> Float[Tensor, "B C"]:
    """The logarithm of the mean probability over those present."""
    lowest = torch.finfo(logs.dtype).min  # not -inf, whose slope is NaN in a row without any
    summed = torch.where(present.unsqueeze(-1), logs, lowest).logsumexp(dim=1)  # (B, C)
    return summed - present.sum(dim=1, keepdim=True).clamp(min=1).log()
