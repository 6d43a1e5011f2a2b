"""A transformer over the columns of a table's row, each of which is a token: the feature tokenizer transformer.

Gorishniy, Rubachev, Khrulkov and Babenko, Revisiting Deep Learning Models for Tabular Data, 2021,
https://arxiv.org/abs/2106.11959. A missing cell is a token, too: its column's bias, and what says that it is missing.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mmfuse.shown import shown
from mmfuse.types import Encoder, Signal


class FTTransformer(Encoder):
    def __init__(
        self,
        size: int,
        columns: Sequence[tuple[str, int]],
        dim: int = 192,
        layers: int = 3,
        heads: int = 8,
        feedforward: int = 256,
        attention_dropout: float = 0.2,
        dropout: float = 0.1,
        pool: Literal["first", "all"] = "first",
    ):
        """`columns` are of "number" or "category", each with how many of the `size` features are its own, in order.

        `pool` gives the token that goes before the columns' own, which is what the paper predicts from, or all of them.
        """
        super().__init__()
        self.widths = [width for _, width in columns]
        if sum(self.widths) != size:
            raise ValueError(f"columns={list(columns)} have {sum(self.widths)} features, and not size={size}")
        if dim % heads:
            raise ValueError(f"dim={dim}: heads={heads} share it, so it has to be a multiple of that")
        self.dim, self.pool = dim, pool
        self.weight, self.bias, self.first = (
            nn.Parameter(torch.empty(rows, dim).uniform_(-(dim**-0.5), dim**-0.5)) for rows in (size, len(columns), 1)
        )
        self.blocks = nn.ModuleList(
            Block(dim, heads, feedforward, attention_dropout, dropout, normed=layer > 0) for layer in range(layers)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, signal: Signal) -> Signal:
        data = shown(signal.data, signal.mask.unsqueeze(-1)).flatten(0, 1)  # (B T, size)
        tokens = self.tokens(data)  # (B T, 1 + columns, D)
        for block in self.blocks:
            tokens = block(tokens)
        if self.pool == "first":
            tokens = tokens[:, :1]
        tokens = self.norm(tokens).relu()
        each = tokens.shape[1]
        return Signal(tokens.unflatten(0, signal.mask.shape).flatten(1, 2), signal.mask.repeat_interleave(each, dim=1))

    def tokens(self, data: Float[Tensor, "R size"]) -> Float[Tensor, "R tokens D"]:
        """Each column's features times its matrix, which is the embedding of a category, plus its bias."""
        columns = zip(data.split(self.widths, dim=1), self.weight.split(self.widths), strict=True)
        own = torch.stack([features @ weight for features, weight in columns], dim=1) + self.bias  # (R, columns, D)
        return torch.cat([self.first.expand(data.shape[0], 1, -1), own], dim=1)


class Block(nn.Module):
    """Self-attention and a gated network, each normalized before, but not ahead of the first of all attention."""

    def __init__(self, dim: int, heads: int, feedforward: int, attention_dropout: float, dropout: float, normed: bool):
        super().__init__()
        self.before_attention = nn.LayerNorm(dim) if normed else nn.Identity()
        self.attention = nn.MultiheadAttention(dim, heads, attention_dropout, batch_first=True)
        self.before_network = nn.LayerNorm(dim)
        self.widen, self.narrow = nn.Linear(dim, 2 * feedforward), nn.Linear(feedforward, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Float[Tensor, "R C D"]) -> Float[Tensor, "R C D"]:
        normed = self.before_attention(tokens)
        tokens = tokens + self.attention(normed, normed, normed, need_weights=False)[0]
        value, gate = self.widen(self.before_network(tokens)).chunk(2, dim=-1)  # ReGLU: (R, C, feedforward) each
        return tokens + self.narrow(self.dropout(value * F.relu(gate)))
