"""A bidirectional LSTM over a sequence of feature vectors, packed, so that padding costs nothing and changes nothing.

Hochreiter and Schmidhuber, Long Short-Term Memory, 1997, https://doi.org/10.1162/neco.1997.9.8.1735.
"""

from torch import nn

from mmfuse.recurrent import run_packed
from mmfuse.types import Encoder, Signal


class LSTM(Encoder):
    def __init__(self, size: int, dim: int = 128, layers: int = 1):
        """`dim` is the width of what comes out, half of it from each direction."""
        super().__init__()
        if dim % 2:
            raise ValueError(f"dim={dim}: each direction makes half of it, so it has to be even")
        self.dim = dim
        self.rnn = nn.LSTM(size, dim // 2, layers, batch_first=True, bidirectional=True)

    def forward(self, signal: Signal) -> Signal:
        return Signal(run_packed(self.rnn, signal.data, signal.mask), signal.mask)  # (B, T, dim)
