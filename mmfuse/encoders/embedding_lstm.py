"""Word embeddings under a bidirectional LSTM, packed.

Hochreiter and Schmidhuber, Long Short-Term Memory, 1997, https://doi.org/10.1162/neco.1997.9.8.1735. Embeddings are
learned, from scratch or from vectors in a file, for the words of the training rows; every word beyond them is one and
the same unknown word.
"""

from jaxtyping import Float
from torch import Tensor, nn

from mmfuse.encoders.word_embedding import word_embedding
from mmfuse.recurrent import run_packed
from mmfuse.types import Encoder, Signal


class EmbeddingLSTM(Encoder):
    def __init__(
        self,
        size: int,
        dim: int = 128,
        embedding: int = 64,
        layers: int = 1,
        dropout: float = 0.2,
        learn: bool = True,
        vectors: Float[Tensor, "S W"] | None = None,
    ):
        """`size` words of `embedding` features each, or of as many as `vectors` have.

        `dim` features come out, half from each direction.
        """
        super().__init__()
        if dim % 2:
            raise ValueError(f"dim={dim}: each direction makes half of it, so it has to be even")
        self.dim = dim
        self.embed = word_embedding(size, embedding, vectors, learn)
        self.dropout = nn.Dropout(dropout)
        self.rnn = nn.LSTM(self.embed.embedding_dim, dim // 2, layers, batch_first=True, bidirectional=True)

    def forward(self, signal: Signal) -> Signal:
        words = signal.data.masked_fill(~signal.mask, 0)  # (B, T)
        return Signal(run_packed(self.rnn, self.dropout(self.embed(words)), signal.mask), signal.mask)  # (B, T, dim)
