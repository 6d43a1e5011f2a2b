"""A bag of word vectors: each word's vector as it is, a step for each, whose mean is the text's.

The mean of vectors from a file is a strong baseline (Wieting et al., Towards Universal Paraphrastic Sentence
Embeddings, 2016, https://arxiv.org/abs/1511.08198; Iyyer et al., 2015, https://aclanthology.org/P15-1162).
"""

from jaxtyping import Float
from torch import Tensor, nn

from mmfuse.encoders.word_embedding import word_embedding
from mmfuse.types import Encoder, Signal


class Bag(Encoder):
    def __init__(
        self,
        size: int,
        dim: int = 128,
        dropout: float = 0.2,
        learn: bool = True,
        vectors: Float[Tensor, "S W"] | None = None,
    ):
        """`size` words of `dim` features each, or of as many as `vectors` have; unless they `learn`, they stay."""
        super().__init__()
        self.embed = word_embedding(size, dim, vectors, learn)
        self.dim = self.embed.embedding_dim
        self.dropout = nn.Dropout(dropout)

    def forward(self, signal: Signal) -> Signal:
        words = signal.data.masked_fill(~signal.mask, 0)  # (B, T)
        return Signal(self.dropout(self.embed(words)), signal.mask)  # (B, T, dim)
