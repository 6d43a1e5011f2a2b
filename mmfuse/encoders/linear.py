"""One linear layer over each step by itself: W x + b. What a fusion on plain features amounts to."""

from torch import nn

from mmfuse.shown import shown
from mmfuse.types import Encoder, Signal


class Linear(Encoder):
    def __init__(self, size: int, dim: int = 128):
        super().__init__()
        self.dim = dim
        self.layer = nn.Linear(size, dim)

    def forward(self, signal: Signal) -> Signal:
        data = shown(signal.data, signal.mask.unsqueeze(-1))  # (B, T, size)
        return Signal(self.layer(data), signal.mask)  # (B, T, dim)
