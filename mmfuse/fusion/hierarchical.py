"""Hierarchical fusion: modalities two by two, feature by feature, and then all pairs.

HFusion of Majumder et al., Multimodal Sentiment Analysis using Hierarchical Fusion with Context Modeling, 2018,
https://doi.org/10.1016/j.knosys.2018.07.041. With g_m = tanh(W_m x_m + b_m), of width D, and * by feature,

    f_mn = tanh(u_mn * g_m + v_mn * g_n + c_mn)  for every two modalities,   F = tanh(sum over pairs w_mn * f_mn + c)

Of two modalities, f is the result. With a `cell` it is CHFusion: a GRU runs over the steps of each f_mn, and over F,
a dense layer with tanh after it (mmfuse/contextual.py), so that every level knows the utterances of the video around
each; there the encoders are such networks as well (encoder=context).

What comes out are steps, one where the modalities are vectors. An absent modality is left out of its pairs, at every
step or at those that it lacks, and a pair of two that are absent out of the sum; a row without any is absent.
Parameters, of P pairs: sum of (d_m + 1) D + 3 P D, and (P + 1) D where P > 1; a network of `cell` 3 h (D + h + 2) +
(h + 1) D a pair and for the sum (gru, h = hidden).
"""

from itertools import combinations
from typing import Literal

import torch
from torch import Tensor, nn

from mmfuse.contextual import Contextual
from mmfuse.fusion.aligned import Align, aligned
from mmfuse.fusion.step_space import StepSpace
from mmfuse.shown import shown
from mmfuse.types import Fusion, Signal, Signals


class HierarchicalFusion(Fusion):
    by_step = True

    def __init__(
        self,
        dims: dict[str, int],
        dim: int = 128,
        cell: Literal["none", "gru", "lstm"] = "none",
        hidden: int = 128,
        bidirectional: bool = False,
        dropout_in: float = 0.0,
        dropout: float = 0.5,
        align: Align = "require",
    ):
        """Of networks of a `cell`: `hidden` units a direction, dropout of what is read and before the dense layer."""
        super().__init__()
        if len(dims) < 2:
            raise ValueError(f"modalities are fused two by two, but there is {list(dims)} alone")
        self.dim = dim
        self.align = align
        self.space = StepSpace(dims, dim)
        self.two = list(combinations(range(len(dims)), 2))
        levels = len(self.two) + (len(self.two) > 1)
        self.pairs = nn.ModuleList(Weighted(2, dim) for _ in self.two)
        self.whole = Weighted(len(self.two), dim) if len(self.two) > 1 else None
        self.contexts = nn.ModuleList(
            Contextual(dim, dim, hidden, cell, bidirectional, "tanh", dropout_in, dropout)
            for _ in range(levels)
            if cell != "none"
        )

    def forward(self, signals: Signals) -> Signal:
        steps = self.space(aligned(signals, list(self.space.maps), self.align))
        own = [Signal(s.data.tanh(), s.mask) for s in steps.values()]  # (B, T, D) each
        found = [pair([own[m], own[n]]) for pair, (m, n) in zip(self.pairs, self.two, strict=True)]
        found = [self.in_context(k, each) for k, each in enumerate(found)]
        return found[0] if self.whole is None else self.in_context(len(found), self.whole(found))

    def in_context(self, level: int, signal: Signal) -> Signal:
        if not len(self.contexts):
            return signal
        return Signal(self.contexts[level](signal.data, signal.mask), signal.mask)


class Weighted(nn.Module):
    """tanh(sum of w_k * x_k + c) of signals of one width, those that are masked left out."""

    def __init__(self, number: int, dim: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(number, dim) * number**-0.5)
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, signals: list[Signal]) -> Signal:
        data: Tensor = torch.stack([shown(s.data, s.mask.unsqueeze(-1)) for s in signals], dim=2)
        mask = torch.stack([s.mask for s in signals]).any(dim=0)  # (B, T)
        said = (torch.einsum("btkd,kd->btd", data, self.weight) + self.bias).tanh()
        return Signal(said * mask.unsqueeze(-1), mask)
