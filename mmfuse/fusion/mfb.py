"""Multimodal Factorized Bilinear pooling: (U_1 z_1 + c_1) * ... * (U_M z_M + c_M), summed over groups of `factors`.

Yu et al., Multi-modal Factorized Bilinear Pooling with Co-Attention Learning, 2017, https://arxiv.org/abs/1708.01471.
Groups are consecutive entries; dropout comes before the sum, each sum's signed root and length 1 for the row after. The
paper has two modalities, 5 factors and `dim` 1000, and no biases; here each map has one. More than two are multiplied
alike.

An absent modality's factor is 1, so the others are read as if it had never been; a row without any is a constant.
Parameters: sum of (d_m + 1) * factors * dim.
"""

from torch import nn

from mmfuse.fusion.factors import Factors
from mmfuse.fusion.power_norm import power_norm
from mmfuse.types import Fusion, Signal, Signals


class MfbFusion(Fusion):
    def __init__(self, dims: dict[str, int], dim: int = 128, factors: int = 5, dropout: float = 0.1):
        super().__init__()
        self.dim = dim
        self.factors = Factors({m: nn.Linear(d, dim * factors) for m, d in dims.items()})
        self.dropout = nn.Dropout(dropout)

    def forward(self, signals: Signals) -> Signal:
        product, present = self.factors(signals)  # (B, D K), (B,)
        pooled = self.dropout(product).unflatten(1, (self.dim, -1)).sum(dim=2)  # (B, D)
        return Signal.vector(power_norm(pooled), present)
