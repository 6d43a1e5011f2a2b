"""Multimodal Factorized High-order pooling: MFB blocks in a row, each times the products of those before it.

Yu et al., Beyond Bilinear: Generalized Multi-modal Factorized High-order Pooling for Visual Question Answering, 2018,
https://arxiv.org/abs/1708.03619: e_i = dropout((U_1i z_1 + c_1i) * ... * (U_Mi z_M + c_Mi)) * e_(i-1), e_0 = 1; block i
is e_i summed over consecutive groups of `factors`, each sum's signed root, then length 1; what comes out are the
`order` blocks side by side. Order 1 is mfb. The paper has two modalities, order 2, 5 factors and blocks of 1000.

An absent modality's factors are 1, so the others are read as if it had never been; a row without any is a constant.
Parameters: sum of (d_m + 1) * factors * dim.
"""

from itertools import accumulate

import torch
from torch import nn

from mmfuse.fusion.factors import Factors
from mmfuse.fusion.power_norm import power_norm
from mmfuse.types import Fusion, Signal, Signals


class MfhFusion(Fusion):
    def __init__(self, dims: dict[str, int], dim: int = 128, order: int = 2, factors: int = 5, dropout: float = 0.1):
        super().__init__()
        if dim % order:
            raise ValueError(f"dim={dim}: order={order} blocks share it, so it has to be a multiple of that")
        self.dim = dim
        self.order = order
        self.width = dim // order
        self.factors = Factors({m: nn.Linear(d, dim * factors) for m, d in dims.items()})
        self.dropout = nn.Dropout(dropout)

    def forward(self, signals: Signals) -> Signal:
        product, present = self.factors(signals)  # (B, O W K), (B,)
        blocks = self.dropout(product).unflatten(1, (self.order, self.width, -1)).unbind(dim=1)  # each (B, W, K)
        expanded = torch.stack(list(accumulate(blocks, torch.mul)), dim=1)  # (B, O, W, K): cumprod is slow with zeros
        return Signal.vector(power_norm(expanded.sum(dim=3)).flatten(1), present)
