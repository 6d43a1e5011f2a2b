"""Attention over all steps of all modalities: which words, frames and patches count is read off each of them.

h_mt = W_m x_mt + b_m, e_mt = w . tanh(V h_mt + c), a = softmax of e over all real steps of all modalities, result
sum of a_mt h_mt (Yang et al., Hierarchical Attention Networks, 2016, https://aclanthology.org/N16-1174, with one level
for all modalities). The weight of a modality is the sum of its steps', so a long one starts with more of it.

An absent modality has no real step and weighs 0; a row without any is zeros.
Parameters: sum of (d_m + 1) * dim, and (dim + 2) * hidden.
"""

import torch

from mmfuse import masks
from mmfuse.fusion.score import Score
from mmfuse.fusion.step_space import StepSpace, joined
from mmfuse.types import Fused, Fusion, Signal, Signals


class AttentionStepsFusion(Fusion):
    def __init__(self, dims: dict[str, int], dim: int = 128, hidden: int = 64):
        super().__init__()
        self.dim = dim
        self.space = StepSpace(dims, dim)
        self.score = Score(dim, hidden)

    def forward(self, signals: Signals) -> Signal:
        return self.fuse(signals).signal

    def fuse(self, signals: Signals) -> Fused:
        mapped = self.space(signals)
        steps = joined(mapped)  # (B, S, D)
        weights = masks.softmax(self.score(steps.data), steps.mask)  # (B, S)
        vector = torch.einsum("bs,bsd->bd", weights, steps.data)
        shares = weights.split([s.mask.shape[1] for s in mapped.values()], dim=1)  # each (B, T_m)
        weights = torch.stack([share.sum(dim=1) for share in shares], dim=1)  # (B, M)
        return Fused(Signal.vector(vector, steps.present), weights=weights)
