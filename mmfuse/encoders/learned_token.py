"""A learned step in the place of a modality that is missing, after its encoder: `dataset.missing.fill=token`.

The row then counts as having the modality. Rows that lose it to modality dropout get the step as well, so that it is
learned even where no training row lacks anything.
"""

import torch
from torch import nn

from mmfuse.types import Encoder, Signal


class LearnedToken(Encoder):
    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder, self.dim = encoder, encoder.dim
        self.token = nn.Parameter(0.02 * torch.randn(encoder.dim))

    def forward(self, signal: Signal) -> Signal:
        data, mask = self.encoder(signal)  # (B, T, D), (B, T)
        first = torch.zeros_like(mask)
        first[:, 0] = ~mask.any(dim=1)  # (B, T): the first step of a row without any
        return Signal(torch.where(first.unsqueeze(-1), self.token.to(data.dtype), data), mask | first)
