"""Codes that modalities share and codes of each alone (ShaSpec): where one is absent, what the others share stands in.

u_m = W_m x_m; r_m = S(u_m), one S for all modalities; s_m = P_m(u_m), both a linear layer and relu. Of a modality that
is there the fusion hears r_m + F [r_m; s_m], one linear F for all, step by step; of one that is not, the mean of the
codes that the present ones share, as one step. Wang et al., Multi-modal Learning with Missing Modality via
Shared-Specific Feature Modelling, CVPR 2023, https://arxiv.org/abs/2307.14126. Its losses:
alignment, the mean |r_m - r_k| of each two modalities of a row, times .1;
modality, the cross-entropy of telling from s_m which modality it is, times .02.
The authors' code takes the first modality that is there, not the mean, and the paper's S reads the input, which has to
be of one shape for all: here it reads what the encoders said.

An absent modality is in no loss. A row that has nothing gets nothing.
Parameters: sum of (d_m + 1) dim + (M + 1) (dim + 1) dim + (2 dim + 1) dim + (dim + 1) M.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmfuse.completion.place import placed
from mmfuse.types import Completion, Losses, Parts, Signal, Signals


class Coded(NamedTuple):
    shared: Signal
    specific: Signal


class ShaSpec(Completion):
    names = ("alignment", "modality")

    def __init__(self, dims: dict[str, int], dim: int = 128, alignment: float = 0.1, classification: float = 0.02):
        """`dim` is the width of all codes; `alignment` and `classification` are what its losses are multiplied by."""
        super().__init__(dict.fromkeys(dims, dim))
        if alignment < 0 or classification < 0:
            raise ValueError(f"alignment={alignment}, classification={classification}: at least 0 is needed")
        self.factors = {"alignment": alignment, "modality": classification}
        self.project = Parts({m: nn.Linear(d, dim) for m, d in dims.items()})
        self.shared = nn.Sequential(nn.Linear(dim, dim), nn.ReLU())
        self.specific = Parts({m: nn.Sequential(nn.Linear(dim, dim), nn.ReLU()) for m in dims})
        self.join = nn.Linear(2 * dim, dim)
        self.tell = nn.Linear(dim, len(dims))

    def coded(self, signals: Signals) -> dict[str, Coded]:
        found = {}
        for m, (data, mask) in signals.items():
            u = self.project[m](data.masked_fill(~mask.unsqueeze(-1), 0.0))  # (B, T, D)
            found[m] = Coded(Signal(self.shared(u), mask), Signal(self.specific[m](u), mask))
        return found

    def forward(self, signals: Signals) -> Signals:
        coded = self.coded(signals)
        present = torch.stack([s.present for s in signals.values()], dim=1)  # (B, M)
        shared = torch.stack([codes.shared.pooled() for codes in coded.values()], dim=1)  # (B, M, D), 0 where absent
        mean = shared.sum(dim=1) / present.sum(dim=1, keepdim=True).clamp(min=1)  # (B, D)
        found = {}
        for m, (r, s) in coded.items():
            own = Signal(r.data + self.join(torch.cat([r.data, s.data], dim=-1)), r.mask)
            found[m] = placed(own, mean, ~own.present & present.any(dim=1))
        return found

    def losses(self, signals: Signals) -> Losses:
        coded = self.coded(signals)
        present = torch.stack([s.present for s in signals.values()], dim=1)  # (B, M)
        shared = torch.stack([codes.shared.pooled() for codes in coded.values()], dim=1).float()  # (B, M, D)
        left, right = torch.triu_indices(len(coded), len(coded), offset=1, device=present.device)  # (P,) each
        apart = (shared[:, left] - shared[:, right]).abs().mean(dim=2)  # (B, P)
        said = torch.stack([self.tell(codes.specific.pooled()) for codes in coded.values()], dim=1)  # (B, M, M)
        own = torch.arange(len(coded), device=present.device).expand(present.shape[0], -1)  # (B, M)
        wrong = F.cross_entropy(said.float().flatten(0, 1), own.flatten(), reduction="none").view_as(own)  # (B, M)
        losses = {
            "alignment": mean_of(apart, present[:, left] & present[:, right]),
            "modality": mean_of(wrong, present),
        }
        return {name: self.factors[name] * loss for name, loss in losses.items()}


def mean_of(values: Tensor, counts: Tensor) -> Tensor:
    """Over the values that count; 0 where none does."""
    return values.masked_fill(~counts, 0.0).sum() / counts.sum().clamp(min=1)
