"""Early fusion of aligned sequences: the features of all modalities side by side, step by step, under one LSTM or GRU.

The state after a row's last real step is the result, from both directions where `bidirectional`. With an LSTM in one
direction this is EF-LSTM, the baseline of Zadeh et al., Memory Fusion Network, 2018,
https://arxiv.org/abs/1802.00927, whose code has 128 units and dropout 0.5. Rows are packed, so padding is never read.
Sequences that are not aligned are for `early_tokens`, which shares hardly a key with this one and is a fusion apart.

An absent modality is zeros at every step, and so is a step that is missing; a row without any is absent.
Parameters, with g = 4 gates (lstm) or 3 (gru) and u units a direction (dim, or dim / 2 where there are two):
g u (sum of d_m + u + 2) a direction, and g u (dim + u + 2) a direction for each further layer.
"""

from typing import Literal

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from mmfuse.fusion.aligned import Align, aligned, ends
from mmfuse.stepwise import Stepwise
from mmfuse.types import Fusion, Signal, Signals


class EarlyFusion(Fusion):
    def __init__(
        self,
        dims: dict[str, int],
        dim: int = 128,
        cell: Literal["lstm", "gru"] = "lstm",
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.5,
        align: Align = "require",
    ):
        super().__init__()
        if bidirectional and dim % 2:
            raise ValueError(f"dim={dim}: each direction makes half of it, so it has to be even")
        self.dim = dim
        self.modalities = list(dims)
        self.align = align
        self.directions = 2 if bidirectional else 1
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[cell]
        self.rnn = kind(
            sum(dims.values()), dim // self.directions, layers, batch_first=True, bidirectional=bidirectional
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, signals: Signals) -> Signal:
        steps = aligned(signals, self.modalities, self.align)
        data = torch.cat([s.data for s in steps.values()], dim=2)  # (B, T, sum of D_m)
        mask = torch.stack([s.mask for s in steps.values()]).any(dim=0)  # (B, T)
        if isinstance(self.rnn, Stepwise):  # in a model that is being exported
            return Signal.vector(self.rnn.last(data, mask), mask.any(dim=1))
        lengths = ends(mask).clamp(min=1).cpu()  # (B,) a row without any runs for one step of zeros
        _, state = self.rnn(pack_padded_sequence(data, lengths, batch_first=True, enforce_sorted=False))
        last = state[0] if isinstance(state, tuple) else state  # (layers * directions, B, dim / directions)
        vector = last[-self.directions :].transpose(0, 1).flatten(1)  # (B, dim)
        return Signal.vector(self.drop(vector), mask.any(dim=1))
