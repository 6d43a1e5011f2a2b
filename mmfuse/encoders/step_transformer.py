"""A small transformer over a sequence of feature vectors: a linear layer, positions, and blocks of self-attention.

Vaswani et al., Attention Is All You Need, 2017, https://arxiv.org/abs/1706.03762. Nobody attends to a step that is
missing; those after it keep their places.
"""

from torch import nn

from mmfuse.encoders.attention_blocks import Blocks
from mmfuse.shown import shown
from mmfuse.sinusoids import sinusoids
from mmfuse.types import Encoder, Signal


class StepTransformer(Encoder):
    def __init__(
        self, size: int, dim: int = 128, heads: int = 4, layers: int = 2, feedforward: int = 256, dropout: float = 0.1
    ):
        """`dim` is the width throughout, shared by `heads`; `feedforward` that within a block."""
        super().__init__()
        self.dim = dim
        self.enter = nn.Linear(size, dim)
        self.dropout = nn.Dropout(dropout)
        self.blocks = Blocks(dim, heads, layers, feedforward, dropout)

    def forward(self, signal: Signal) -> Signal:
        data = shown(signal.data, signal.mask.unsqueeze(-1))  # (B, T, size)
        data = self.enter(data)  # (B, T, dim)
        data = self.dropout(data + sinusoids(data.shape[1], self.dim, data.device))
        return Signal(self.blocks(data, signal.mask), signal.mask)
