"""A bidirectional GRU over a sequence of feature vectors, packed, so that padding costs nothing and changes nothing.

Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, 2014, https://arxiv.org/abs/1406.1078.
"""

from torch import nn

from mmfuse.recurrent import run_packed
from mmfuse.types import Encoder, Signal


class GRU(Encoder):
    def __init__(self, size: int, dim: int = 128, layers: int = 1):
        """`dim` is the width of what comes out, half of it from each direction."""
        super().__init__()
        if dim % 2:
            raise ValueError(f"dim={dim}: each direction makes half of it, so it has to be even")
        self.dim = dim
        self.rnn = nn.GRU(size, dim // 2, layers, batch_first=True, bidirectional=True)

    def forward(self, signal: Signal) -> Signal:
        return Signal(run_packed(self.rnn, signal.data, signal.mask), signal.mask)  # (B, T, dim)
