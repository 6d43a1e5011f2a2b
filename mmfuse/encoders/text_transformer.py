"""A small transformer over words, from scratch: vectors of words and places under blocks of self-attention.

Vaswani et al., Attention Is All You Need, 2017, https://arxiv.org/abs/1706.03762, whose sines and cosines say where a
word stands, so that a text may be of any length; normalized before each sublayer.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmfuse.encoders.attention_blocks import Blocks
from mmfuse.encoders.word_embedding import word_embedding
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
        places = sinusoids(words.shape[1], self.dim).to(words)  # (T, dim)
        return Signal(self.blocks(self.dropout(words + places), signal.mask), signal.mask)


def sinusoids(steps: int, dim: int) -> Float[Tensor, "T D"]:
    """Section 3.5: sin(place / 10000^(2i / dim)) at 2i, and its cosine at 2i + 1.

    >>> sinusoids(2, 2).round(decimals=4).tolist()
    [[0.0, 1.0], [0.8414999842643738, 0.5403000116348267]]
    """
    rates = torch.exp(torch.arange(0, dim, 2) * (-math.log(10000.0) / dim))  # (D / 2,)
    angles = torch.arange(steps).unsqueeze(1) * rates  # (T, D / 2)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
