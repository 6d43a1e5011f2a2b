"""Attention and the blocks of transformers, normalized before each sublayer, over what is real and nothing else.

Vaswani et al., Attention Is All You Need, 2017, https://arxiv.org/abs/1706.03762; the normalization as Xiong et al.,
2020, https://arxiv.org/abs/2002.04745. Keys have no bias: it would add one number to every score of a query, which a
softmax does not notice.

Parameters of an attention: 4 D^2 + 3 D; of a block with F units: that, 2 D F + F + D, and 2 D a normalization.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    def __init__(self, dim: int, heads: int, dropout: float = 0.0):
        super().__init__()
        if dim % heads:
            raise ValueError(f"dim={dim}: heads={heads} share it, so it has to be a multiple of that")
        self.heads = heads
        self.dropout = dropout
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def forward(
        self, asking: Float[Tensor, "B Q D"], source: Float[Tensor, "B S D"], seen: Bool[Tensor, "B #Q S"]
    ) -> Float[Tensor, "B Q D"]:
        """What each query reads of the steps it sees; zeros where it sees none, for to read nothing would be NaN."""
        any_seen = seen.any(dim=-1, keepdim=True)  # (B, 1 or Q, 1)
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, Q or S, D / H)
            for part in self.projected(asking, source)
        )
        dropout = self.dropout if self.training else 0.0
        read = F.scaled_dot_product_attention(query, key, value, (seen | ~any_seen).unsqueeze(1), dropout)
        return self.out(read.transpose(1, 2).flatten(2)) * any_seen

    def projected(self, asking: Float[Tensor, "B Q D"], source: Float[Tensor, "B S D"]) -> tuple[Tensor, ...]:
        """Queries, keys and values; those made of the same are made at once."""
        none = torch.zeros_like(self.value.bias)
        weights, biases = [self.key.weight, self.value.weight], [none, self.value.bias]
        if asking is source:
            weights, biases = [self.query.weight, *weights], [self.query.bias, *biases]
            return F.linear(source, torch.cat(weights), torch.cat(biases)).chunk(3, dim=-1)
        return self.query(asking), *F.linear(source, torch.cat(weights), torch.cat(biases)).chunk(2, dim=-1)


class FeedForward(nn.Sequential):
    def __init__(self, dim: int, units: int, dropout: float = 0.0):
        super().__init__(
            nn.LayerNorm(dim),
            nn.Linear(dim, units),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(units, dim),
            nn.Dropout(dropout),
        )


class SelfBlock(nn.Module):
    """x + attention(LN x), and on that x + feedforward(LN x). Parameters: 4 D^2 + 2 D F + 8 D + F."""

    def __init__(self, dim: int, heads: int, units: int, dropout: float = 0.0):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.attend = Attention(dim, heads, dropout)
        self.drop = nn.Dropout(dropout)
        self.feed = FeedForward(dim, units, dropout)

    def forward(self, data: Float[Tensor, "B T D"], seen: Bool[Tensor, "B #T T"]) -> Float[Tensor, "B T D"]:
        normal = self.norm(data)
        data = data + self.drop(self.attend(normal, normal, seen))
        return data + self.feed(data)


class CrossBlock(nn.Module):
    """x + attention(LN x, LN source), and on that x + feedforward(LN x). Parameters: 4 D^2 + 2 D F + 10 D + F."""

    def __init__(self, dim: int, heads: int, units: int, dropout: float = 0.0):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.norm_source = nn.LayerNorm(dim)
        self.attend = Attention(dim, heads, dropout)
        self.drop = nn.Dropout(dropout)
        self.feed = FeedForward(dim, units, dropout)

    def forward(
        self, data: Float[Tensor, "B Q D"], source: Float[Tensor, "B S D"], seen: Bool[Tensor, "B #Q S"]
    ) -> Float[Tensor, "B Q D"]:
        data = data + self.drop(self.attend(self.norm(data), self.norm_source(source), seen))
        return data + self.feed(data)
