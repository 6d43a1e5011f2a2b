"""Early fusion by tokens: the steps of all modalities, one after another, under one transformer.

A linear map brings each modality to `dim`; its bias is the modality's embedding, sinusoids tell its steps apart. A
learned token that stands before them reads them all and is the result (as in Devlin et al., BERT, 2018,
https://arxiv.org/abs/1810.04805). No alignment is needed; time grows with the square of the steps of all together.

An absent modality has no token that is attended to; a row without any is absent.
Parameters: sum of (d_m + 1) * dim, dim, layers (4 dim^2 + 2 dim * feedforward + 8 dim + feedforward), and 2 dim.
"""

import torch
from torch import nn

from mmfuse.fusion.blocks import SelfBlock
from mmfuse.fusion.step_space import StepSpace, joined
from mmfuse.types import Fusion, Signal, Signals


class EarlyTokensFusion(Fusion):
    def __init__(
        self,
        dims: dict[str, int],
        dim: int = 64,
        layers: int = 2,
        heads: int = 4,
        feedforward: int = 128,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.dim = dim
        self.space = StepSpace(dims, dim, positions=True)
        self.token = nn.Parameter(torch.randn(dim) * 0.02)
        self.blocks = nn.ModuleList(SelfBlock(dim, heads, feedforward, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, signals: Signals) -> Signal:
        steps = joined(self.space(signals))  # (B, S, D)
        token = self.token.expand(steps.data.shape[0], 1, -1)  # (B, 1, D)
        data = torch.cat([token, steps.data], dim=1)  # (B, 1 + S, D)
        real = torch.ones_like(steps.mask[:, :1])  # (B, 1)
        seen = torch.cat([real, steps.mask], dim=1).unsqueeze(1)  # (B, 1, 1 + S)
        for block in self.blocks:
            data = block(data, seen)
        return Signal.vector(self.norm(data[:, 0]), steps.present)
