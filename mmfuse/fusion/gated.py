"""Gated Multimodal Units: every modality speaks, and a gate decides, feature by feature, how much each is heard.

Arevalo et al., Gated Multimodal Units for Information Fusion, 2017, https://arxiv.org/abs/1702.01992: tanh(W_m x_m) is
what modality m says; with two, one gate g = sigmoid(W_g [x_1; x_2]) mixes them, g to 1 - g; with any other number each
has a gate of its own, and the gates need not sum to 1. No biases, as in the paper. The gates read what the encoders
return, as in the paper; with `gate_input: projected` they read the projections W_m x_m, as in the authors' code.

An absent modality is not heard, and of two the other is then heard whole; a row without any is zeros.
Parameters: 2 (d_1 + d_2) dim with two modalities, (1 + M) (sum of d_m) dim with another number. Where
projections are read, (sum of d_m) dim for these and M dim^2 for each gate.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse.fusion.vectors import side_by_side
from mmfuse.types import Fusion, Parts, Signal, Signals


class GatedFusion(Fusion):
    def __init__(self, dims: dict[str, int], dim: int = 128, gate_input: Literal["raw", "projected"] = "raw"):
        super().__init__()
        self.dim, self.gate_input = dim, gate_input
        self.widths = list(dims.values())
        self.speak = Parts({m: nn.Linear(d, dim, bias=False) for m, d in dims.items()})
        read = sum(dims.values()) if gate_input == "raw" else len(dims) * dim
        self.gate = nn.Linear(read, dim * (1 if len(dims) == 2 else len(dims)), bias=False)

    def forward(self, signals: Signals) -> Signal:
        vectors, present = side_by_side(signals, self.speak)  # (B, sum of D_m), (B, M)
        parts = zip(self.speak.values(), vectors.split(self.widths, dim=1), strict=True)
        projected = torch.stack([speak(part) for speak, part in parts], dim=1)  # (B, M, D)
        read = vectors if self.gate_input == "raw" else projected.flatten(1)  # (B, J)
        gates = self.gates(read, present)  # (B, M, D)
        return Signal.vector((gates * projected.tanh()).sum(dim=1), present.any(dim=1))

    def gates(self, joined: Float[Tensor, "B J"], present: Bool[Tensor, "B M"]) -> Float[Tensor, "B M D"]:
        """How much of each modality is heard, feature by feature. One that is absent says 0 whatever its gate is."""
        opened = self.gate(joined).sigmoid().unflatten(1, (-1, self.dim))  # (B, 1 or M, D)
        if len(self.speak) != 2:
            return opened
        other = present.unsqueeze(-1).flip(1)  # (B, 2, 1)
        return torch.where(other, torch.cat([opened, 1 - opened], dim=1), 1.0)  # alone, it is heard whole
