"""Words dropped at random (Iyyer et al., Deep Unordered Composition Rivals Syntactic Methods, 2015,
https://aclanthology.org/P15-1162): they are hidden in the mask, as padding is, and no text loses all."""

import torch
from torch import nn

from mmfuse.types import Signal


class Words(nn.Module):
    def __init__(self, size: int | None = None, drop: float = 0.0):
        """`drop` is the share of words hidden.

        The vocabulary's `size`, which each augmentation is told, is no matter.
        """
        super().__init__()
        if not 0 <= drop < 1:
            raise ValueError(f"drop={drop}: a share from 0 up to, but not, 1 is needed")
        self.drop = drop

    @property
    def idle(self) -> bool:
        """Whether it leaves everything as it is."""
        return not self.drop

    def forward(self, signal: Signal) -> Signal:
        if self.idle:
            return signal
        dice = torch.rand(signal.mask.shape, device=signal.mask.device).masked_fill(~signal.mask, -1.0)  # (B, T)
        luckiest = dice == dice.amax(dim=1, keepdim=True)  # which stays, come what may
        return Signal(signal.data, signal.mask & ((dice >= self.drop) | luckiest))
