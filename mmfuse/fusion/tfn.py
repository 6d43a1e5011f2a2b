"""Tensor Fusion: a layer over all products of features across modalities, W vec([z_1; 1] x ... x [z_M; 1]) + b.

Zadeh et al., Tensor Fusion Network for Multimodal Sentiment Analysis, 2017, https://arxiv.org/abs/1707.07250. The
tensor holds every product of one feature from each of some modalities once, and a 1. The 1 stands last in each
modality, as in the paper (the common code has it first); the tensor is laid out row-major, the data set's first
modality outermost. The paper's subnetworks end in 32 features or so: wider modalities are first mapped to `inner`,
linearly. The paper reads the tensor with two layers of relu and dropout; here it is one linear layer, of which lmf is
the low-rank form, and no dropout by default.

An absent modality is zeros beside its 1, after that map, so what is left is the tensor of the others.
Parameters: (product of (e_m + 1) + 1) * dim with e_m = min(d_m, inner), and (d_m + 1) * inner where d_m > inner.
"""

from functools import reduce
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mmfuse.fusion.products import outer
from mmfuse.fusion.vectors import present_in
from mmfuse.types import Fusion, Parts, Signal, Signals


class TfnFusion(Fusion):
    def __init__(
        self,
        dims: dict[str, int],
        dim: int = 128,
        inner: int | None = 32,
        dropout: float = 0.0,
        max_elements: int = 1_000_000,
    ):
        super().__init__()
        self.dim = dim
        widths = {m: d if inner is None else min(d, inner) for m, d in dims.items()}
        elements = prod(d + 1 for d in widths.values())
        if elements > max_elements:
            raise ValueError(
                f"widths of {list(widths.values())} make a tensor of {elements} elements, more than "
                f"max_elements={max_elements}: lower inner, raise max_elements, or take fusion=lmf, which builds none"
            )
        self.narrow = Parts({m: nn.Identity() if d == widths[m] else nn.Linear(d, widths[m]) for m, d in dims.items()})
        self.mix = nn.Sequential(nn.Dropout(dropout), nn.Linear(elements, dim))

    def forward(self, signals: Signals) -> Signal:
        present = present_in(signals, self.narrow).any(dim=1)  # (B,)
        return Signal.vector(self.mix(self.tensor(signals)), present)

    def tensor(self, signals: Signals) -> Float[Tensor, "B E"]:
        """The product of (e_m + 1) elements of each row."""
        return reduce(outer, [self.factor(m, signals[m]) for m in self.narrow])

    def factor(self, modality: str, signal: Signal) -> Float[Tensor, "B e"]:
        """[z; 1], e_m + 1 wide."""
        features = torch.where(signal.present.unsqueeze(1), self.narrow[modality](signal.pooled()), 0.0)
        return F.pad(features, (0, 1), value=1.0)
