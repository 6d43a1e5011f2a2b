"""Gated Multimodal Units: every modality speaks, and a gate decides, feature by feature, how much each is heard.

Arevalo et al., Gated Multimodal Units for Information Fusion, 2017, https://arxiv.org/abs/1702.01992: tanh(W_m x_m) is
what modality m says; with two, one gate g = sigmoid(W_g [x_1; x_2]) mixes them, g to 1 - g; with any other number each
has a gate of its own, and the gates need not sum to 1. No biases, as in the paper. The gates read what the encoders
return, as in the paper (the authors' code has them read the projections).

An absent modality is not heard, and of two the other is then heard whole; a row without any is zeros.
Parameters: 2 (d_1 + d_2) dim with two modalities, (1 + M) (sum of d_m) dim with another number.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse.types import Fusion, Parts, Signal, Signals


class GatedFusion(Fusion):
    def __init__(self, dims: dict[str, int], dim: int = 128):
        super().__init__()
        self.dim = dim
        self.speak = Parts({m: nn.Linear(d, dim, bias=False) for m, d in dims.items()})
        self.gate = nn.Linear(sum(dims.values()), dim * (1 if len(dims) == 2 else len(dims)), bias=False)

    def forward(self, signals: Signals) -> Signal:
        pooled = {m: signals[m].pooled() for m in self.speak}  # each (B, D_m)
        present = torch.stack([signals[m].present for m in self.speak], dim=1)  # (B, M)
        spoken = torch.stack([speak(pooled[m]).tanh() for m, speak in self.speak.items()], dim=1)  # (B, M, D)
        gates = self.gates(torch.cat(list(pooled.values()), dim=1), present)  # (B, M, D)
        return Signal.vector((gates * spoken).sum(dim=1), present.any(dim=1))

    def gates(self, joined: Float[Tensor, "B J"], present: Bool[Tensor, "B M"]) -> Float[Tensor, "B M D"]:
        """How much of each modality is heard, feature by feature; 0 where it is absent."""
        opened = self.gate(joined).sigmoid().unflatten(1, (-1, self.dim))  # (B, 1 or M, D)
        heard = present.unsqueeze(-1)  # (B, M, 1)
        if len(self.speak) == 2:
            opened = torch.cat([opened, 1 - opened], dim=1)  # (B, 2, D)
            opened = opened.masked_fill(~heard.flip(1), 1.0)  # alone, it is heard whole
        return opened.masked_fill(~heard, 0.0)
