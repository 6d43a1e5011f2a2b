"""Two layers over each step by itself: W_2 dropout(relu(W_1 x + b_1)) + b_2."""

from torch import nn

from mmfuse.shown import shown
from mmfuse.types import Encoder, Signal


class MLP(Encoder):
    def __init__(self, size: int, dim: int = 128, dropout: float = 0.1):
        super().__init__()
        self.dim = dim
        self.layers = nn.Sequential(nn.Linear(size, dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(dim, dim))

    def forward(self, signal: Signal) -> Signal:
        data = shown(signal.data, signal.mask.unsqueeze(-1))  # (B, T, size)
        return Signal(self.layers(data), signal.mask)  # (B, T, dim)
