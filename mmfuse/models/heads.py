"""What reads a task's predictions off the fused signal: one vector for the row, one for each step, or none at all.

Where steps are labelled and the fusion returns steps, each is read by itself; where it returns a vector, that stands
beside each of the labelled modality's own steps.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmfuse.shown import shown
from mmfuse.types import Encoder, Signal, Signals, Task


def head(task: Task, encoders: Mapping[str, Encoder], fused: int, by_step: bool = False) -> nn.Module:
    """Takes the fused signal, `fused` wide and a vector or `by_step`, and what each modality was encoded to."""
    if task.between:
        return Codes(task.between, {m: encoders[m].dim for m in task.between})
    if task.of is not None and by_step:
        return FusedStepHead(fused, task.size)
    if task.of is not None:
        return StepHead(task.of, encoders[task.of].dim + fused, task.size)
    return RowHead(fused, task.size)


class RowHead(nn.Module):
    def __init__(self, dim: int, size: int):
        super().__init__()
        self.linear = nn.Linear(dim, size)

    def forward(self, fused: Signal, encoded: Signals) -> Tensor:
        return self.linear(fused.pooled())  # (B, K)


class StepHead(nn.Module):
    """Each of one modality's steps beside the fused vector of its row."""

    def __init__(self, of: str, dim: int, size: int):
        super().__init__()
        self.of = of
        self.linear = nn.Linear(dim, size)

    def forward(self, fused: Signal, encoded: Signals) -> Tensor:
        own = encoded[self.of]
        steps = shown(own.data, own.mask.unsqueeze(-1))  # (B, T, D)
        beside = fused.pooled().unsqueeze(1).expand(-1, steps.shape[1], -1)  # (B, T, F)
        return self.linear(torch.cat([steps, beside], dim=-1))  # (B, T, K)


class FusedStepHead(nn.Module):
    """Each fused step by itself."""

    def __init__(self, dim: int, size: int):
        super().__init__()
        self.linear = nn.Linear(dim, size)

    def forward(self, fused: Signal, encoded: Signals) -> Tensor:
        return self.linear(shown(fused.data, fused.mask.unsqueeze(-1)))  # (B, T, K)


class Codes(nn.Module):
    """The codes of two modalities, each of length 1 and NaN where it is absent, side by side."""

    def __init__(self, between: tuple[str, ...], dims: Mapping[str, int]):
        super().__init__()
        if len(set(dims.values())) > 1:
            widths = ", ".join(f"encoder.{m}.dim={dim}" for m, dim in dims.items())
            raise ValueError(f"codes that are compared have to be of one width, but {widths}")
        self.between = between

    def forward(self, fused: Signal, encoded: Signals) -> Tensor:
        signals = [encoded[m] for m in self.between]
        codes = [F.normalize(s.pooled(), dim=1).masked_fill(~s.present[:, None], torch.nan) for s in signals]
        return torch.cat(codes, dim=1)  # (B, 2 D)
