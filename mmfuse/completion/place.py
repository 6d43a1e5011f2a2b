"""Codes set in the place of what is absent."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mmfuse.types import Signal


def placed(signal: Signal, codes: Float[Tensor, "B D"], rows: Bool[Tensor, " B"]) -> Signal:
    """The signal, where these rows, which have no real step, have one: their code."""
    data, mask = signal
    first = torch.zeros_like(mask)
    first[:, 0] = rows
    return Signal(torch.where(first.unsqueeze(-1), codes.unsqueeze(1).to(data.dtype), data), mask | first)
