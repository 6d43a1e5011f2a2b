"""A stack of self-attention over the real steps of a padded batch, and over nothing else.

Vaswani et al., Attention Is All You Need, 2017, https://arxiv.org/abs/1706.03762, normalized before each sublayer and
not after it (Xiong et al., 2020, https://arxiv.org/abs/2002.04745), which trains without a warm-up.
"""

from jaxtyping import Bool, Float
from torch import Tensor, nn


class Blocks(nn.Module):
    def __init__(self, dim: int, heads: int = 4, layers: int = 2, feedforward: int = 256, dropout: float = 0.1):
        """`layers` blocks of attention with `heads` heads and `feedforward` units, and a last normalization."""
        super().__init__()
        if dim % heads:
            raise ValueError(f"dim={dim}: heads={heads} share it, so it has to be a multiple of that")
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(dim, heads, feedforward, dropout, batch_first=True, norm_first=True)
            for _ in range(layers)  # each with weights of its own: nn.TransformerEncoder starts from copies of one
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, data: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        """Zeros where a step is masked. A row without any real step attends to zeros: to nothing would be NaN."""
        data = data.masked_fill(~mask.unsqueeze(-1), 0.0)
        hidden = ~mask & mask.any(dim=1, keepdim=True)  # (B, T)
        for block in self.blocks:
            data = block(data, src_key_padding_mask=hidden)  # (B, T, D)
        return self.norm(data).masked_fill(~mask.unsqueeze(-1), 0.0)
