"""A small transformer over words, from scratch: vectors of words and places under blocks of self-attention.

Vaswani et al., Attention Is All You Need, 2017, https://arxiv.org/abs/1706.03762, whose sines and cosines say where a
word stands, so that a text may be of any length; normalized before each sublayer.
"""

from jaxtyping import Float
from torch import Tensor, nn

from mmfuse.encoders.attention_blocks import Blocks
from mmfuse.encoders.word_embedding import word_embedding
from mmfuse.sinusoids import sinusoids
from mmfuse.types import Encoder, Signal


class TextTransformer(Encoder):
    def __init__(
        self,
        size: int,
        dim: int = 128,
        heads: int = 4,
        layers: int = 2,
        feedforward: int = 256,
        dropout: float = 0.1,
        learn: bool = True,
        vectors: Float[Tensor, "S W"] | None = None,
    ):
        """`size` words of `dim` features each; `vectors` of another width are mapped to it."""
        super().__init__()
        if dim % 2:
            raise ValueError(f"dim={dim}: half of it are sines and half cosines, so it has to be even")
        self.dim = dim
        self.embed = word_embedding(size, dim, vectors, learn)
        width = self.embed.embedding_dim
        self.widen = nn.Identity() if width == dim else nn.Linear(width, dim)
        self.dropout = nn.Dropout(dropout)
        self.blocks = Blocks(dim, heads, layers, feedforward, dropout)

    def forward(self, signal: Signal) -> Signal:
        words = self.widen(self.embed(signal.data.masked_fill(~signal.mask, 0)))  # (B, T, dim)
        places = sinusoids(words.shape[1], self.dim, words.device)  # (T, dim)
        return Signal(self.blocks(self.dropout(words + places), signal.mask), signal.mask)
