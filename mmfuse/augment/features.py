"""Gaussian noise on features (Bishop, Training with Noise is Equivalent to Tikhonov Regularization, 1995,
https://doi.org/10.1162/neco.1995.7.1.108)."""

import torch
from torch import nn

from mmfuse.types import Signal


class Features(nn.Module):
    def __init__(self, size: int | None = None, noise: float = 0.0):
        """`noise` is its standard deviation, where that of a standardised feature is 1.

        The features' number, `size`, which each augmentation is told, is no matter.
        """
        super().__init__()
        if noise < 0:
            raise ValueError(f"noise={noise}: a standard deviation, so 0 or more, is needed")
        self.noise = noise

    @property
    def idle(self) -> bool:
        """Whether it leaves everything as it is."""
        return not self.noise

    def forward(self, signal: Signal) -> Signal:
        if self.idle:
            return signal
        noisy = signal.data + self.noise * torch.randn_like(signal.data)  # (B, T, D)
        return Signal(torch.where(signal.mask.unsqueeze(-1), noisy, signal.data), signal.mask)
