"""Word embeddings under a bidirectional LSTM, packed.

Hochreiter and Schmidhuber, Long Short-Term Memory, 1997, https://doi.org/10.1162/neco.1997.9.8.1735. Embeddings are
learned from scratch, for the words of the training rows; every word beyond them is one and the same unknown word.
"""

from torch import nn

from mmfuse.encoders.recurrent import run_packed
from mmfuse.types import Encoder, Signal


class EmbeddingLSTM(Encoder):
    def __init__(self, size: int, dim: int = 128, embedding: int = 64, layers: int = 1, dropout: float = 0.2):
        """`size` words of `embedding` features each; `dim` features come out, half from each direction."""
        super().__init__()
        if dim % 2:
            raise ValueError(f"dim={dim}: each direction makes half of it, so it has to be even")
        self.dim = dim
        self.embed = nn.Embedding(size, embedding, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.rnn = nn.LSTM(embedding, dim // 2, layers, batch_first=True, bidirectional=True)

    def forward(self, signal: Signal) -> Signal:
        words = signal.data.masked_fill(~signal.mask, 0)  # (B, T)
        return Signal(run_packed(self.rnn, self.dropout(self.embed(words)), signal.mask), signal.mask)  # (B, T, dim)
