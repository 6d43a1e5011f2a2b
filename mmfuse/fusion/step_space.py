"""Every step of every modality in one space, by one linear map a modality.

The bias of a modality's map is what tells its steps from another's: an embedding of the modality.
Parameters: sum of (d_m + 1) * dim.
"""

import torch
from torch import nn

from mmfuse.sinusoids import sinusoids
from mmfuse.types import Parts, Signal, Signals


class StepSpace(nn.Module):
    """With `positions`, sinusoids tell the steps of a modality apart."""

    def __init__(self, dims: dict[str, int], dim: int, positions: bool = False):
        super().__init__()
        self.positions = positions
        self.maps = Parts({m: nn.Linear(d, dim) for m, d in dims.items()})

    def forward(self, signals: Signals) -> Signals:
        """(B, T_m, dim) each, zeros where a step is masked."""
        return {m: self.mapped(to_space, signals[m]) for m, to_space in self.maps.items()}

    def mapped(self, to_space: nn.Module, signal: Signal) -> Signal:
        real = signal.mask.unsqueeze(-1)  # (B, T, 1)
        data = to_space(torch.where(real, signal.data, 0.0))  # (B, T, D)
        if self.positions:
            data = data + sinusoids(data.shape[1], data.shape[2], data.device).to(data.dtype)
        return Signal(data * real, signal.mask)  # quicker than where, and no NaN is left


def joined(signals: Signals) -> Signal:
    """The steps of all, one modality after another: (B, sum of T_m, D)."""
    return Signal(*(torch.cat(parts, dim=1) for parts in zip(*signals.values(), strict=True)))


def mean_of_present(signals: Signals) -> Signal:
    """Each modality's mean over its steps, and the mean of these over the modalities present: one vector a row."""
    present = torch.stack([s.present for s in signals.values()], dim=1)  # (B, M)
    pooled = torch.stack([s.pooled() for s in signals.values()], dim=1)  # (B, M, D)
    return Signal.vector(Signal(pooled, present).pooled(), present.any(dim=1))
