"""What fusions at the level of decisions have in common: signals are logits of classes, one of which is right.

What comes out are logarithms of probabilities, (B, C), so that model=late takes them for logits as they are. An absent
modality decides nothing; a row without any is zeros, with which all classes are equally likely.
"""

from abc import abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mmfuse.fusion.vectors import stacked
from mmfuse.types import Fused, Fusion, Signal, Signals, Task


class Heard(NamedTuple):
    """What each modality says of each class."""

    logits: Float[Tensor, "B M C"]  # zeros where a modality is absent
    present: Bool[Tensor, "B M"]


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
        return self.fuse(signals).signal

    def heard(self, signals: Signals) -> Heard:
        return Heard(*stacked(signals, self.modalities))

    @staticmethod
    def said(decided: Float[Tensor, "B C"], present: Bool[Tensor, "B M"]) -> Signal:
        anything = present.any(dim=1)
        return Signal.vector(torch.where(anything[:, None], decided, 0.0), anything)

    @abstractmethod
    def fuse(self, signals: Signals) -> Fused: ...


class Rule(Decision):
    """A decision that has nothing to learn: probabilities in, probabilities out."""

    def fuse(self, signals: Signals) -> Fused:
        heard = self.heard(signals)
        return Fused(self.said(self.decide(heard.logits.log_softmax(dim=2), heard.present), heard.present))

    @abstractmethod
    def decide(self, logs: Float[Tensor, "B M C"], present: Bool[Tensor, "B M"]) -> Float[Tensor, "B C"]:
        """From each modality's log probabilities. What is made of a row without any does not count, if it is finite."""


def log_mean(logs: Float[Tensor, "B M C"], present: Bool[Tensor, "B M"]) -> Float[Tensor, "B C"]:
    """The logarithm of the mean probability over those present."""
    lowest = torch.finfo(logs.dtype).min  # not -inf, whose slope is NaN in a row without any
    summed = torch.where(present.unsqueeze(-1), logs, lowest).logsumexp(dim=1)  # (B, C)
    return summed - present.sum(dim=1, keepdim=True).clamp(min=1).log()


def own_loss(task: Task, heard: Heard, target: Int[Tensor, " B"]) -> Float[Tensor, ""]:
    """What the task holds of each modality by itself, summed; each over the rows that have it."""
    each = [
        task.loss(heard.logits[:, m], target.masked_fill(~heard.present[:, m], -1))
        for m in range(heard.logits.shape[1])
    ]
    return torch.stack(each).sum()


def mean_over_labelled(each: Float[Tensor, "B M"], target: Int[Tensor, " B"]) -> Float[Tensor, ""]:
    """The sum over modalities, in the mean over the rows that have a label; 0 where none has."""
    return each.masked_fill((target < 0)[:, None], 0.0).sum() / (target >= 0).sum().clamp(min=1)
