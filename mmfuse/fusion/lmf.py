"""Low-rank Multimodal Fusion: a linear layer over tensor fusion's tensor, of low rank, without building the tensor.

Liu et al., Efficient Low-rank Multimodal Fusion with Modality-Specific Factors, 2018, https://arxiv.org/abs/1806.00064:
h = sum over r of w_r (F_1r [z_1; 1]) * ... * (F_Mr [z_M; 1]) + b, elementwise. The paper sums plainly; its authors'
code learns w, which here starts at 1, the plain sum. Factors start with a deviation of 1 / sqrt(d_m + 1), so that each
F_mr [z_m; 1] starts near 1 in size: the code's xavier_normal reads the fans off the wrong axes of a factor, and the
product starts near 0.

An absent modality leaves its factor's constant column, as in tensor fusion.
Parameters: rank * dim * sum of (d_m + 1) + rank + dim.
"""

from functools import reduce

import torch
from torch import nn

from mmfuse.fusion.vectors import present_in
from mmfuse.types import Fusion, Parts, Signal, Signals


class LmfFusion(Fusion):
    def __init__(self, dims: dict[str, int], dim: int = 128, rank: int = 4):
        super().__init__()
        self.dim = dim
        self.rank = rank
        self.factors = Parts({m: nn.Linear(d, rank * dim) for m, d in dims.items()})  # the bias is the column of the 1
        for m, factor in self.factors.items():
            for parameter in factor.parameters():
                nn.init.normal_(parameter, std=(dims[m] + 1) ** -0.5)
        self.weights = nn.Parameter(torch.ones(rank))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, signals: Signals) -> Signal:
        present = present_in(signals, self.factors).any(dim=1)  # (B,)
        product = reduce(torch.mul, [factor(signals[m].pooled()) for m, factor in self.factors.items()])  # (B, R D)
        ranks = product.unflatten(1, (self.rank, self.dim))  # (B, R, D)
        return Signal.vector(torch.einsum("r,brd->bd", self.weights, ranks) + self.bias, present)
