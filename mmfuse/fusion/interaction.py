"""Multiplicative interactions: a linear map of each modality and a full bilinear one of every two.

Jayakumar et al., Multiplicative Interactions and Where to Find Them, 2020, https://openreview.net/forum?id=rylnK6VtDH:
z_1' W z_2 + U z_1 + V z_2 + b. The paper has two modalities; of more, every pair has a W of its own, and no three are
multiplied. Of two, this is tensor fusion with a linear layer.

An absent modality is zeros, so its own term and those of its pairs are 0; a row without any is b.
Parameters: (sum of d_m + sum over pairs of d_m d_n + 1) * dim.
"""

from itertools import combinations

import torch
from torch import nn

from mmfuse.fusion.products import outer
from mmfuse.fusion.vectors import present_in
from mmfuse.types import Fusion, Signal, Signals


class InteractionFusion(Fusion):
    def __init__(self, dims: dict[str, int], dim: int = 128, max_elements: int = 1_000_000):
        super().__init__()
        self.dim = dim
        self.modalities = list(dims)
        elements = sum(dims.values()) + sum(d * e for d, e in combinations(dims.values(), 2))
        if elements > max_elements:
            raise ValueError(
                f"widths of {list(dims.values())} make {elements} features and products, more than "
                f"max_elements={max_elements}: raise that, use narrower encoders, or take fusion=lmf, which builds none"
            )
        self.mix = nn.Linear(elements, dim)

    def forward(self, signals: Signals) -> Signal:
        present = present_in(signals, self.modalities).any(dim=1)  # (B,)
        pooled = [signals[m].pooled() for m in self.modalities]  # each (B, D_m)
        products = [outer(left, right) for left, right in combinations(pooled, 2)]  # each (B, D_m D_n)
        return Signal.vector(self.mix(torch.cat(pooled + products, dim=1)), present)
