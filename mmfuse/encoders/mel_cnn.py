"""A convolutional network over time on log-mel spectrograms, whose bands are its channels. A step for each moment.

Blocks of a convolution, halved by max-pooling, layer normalization over channels (Ba et al., 2016,
https://arxiv.org/abs/1607.06450) and relu. Frames beyond a clip's end are zeros before every convolution, as its own
border is, so that padding changes nothing.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse.encoders.log_mel import LogMel
from mmfuse.encoders.spec_augment import SpecAugment
from mmfuse.types import Encoder, Signal


class MelCNN(Encoder):
    def __init__(
        self,
        size: int,
        dim: int = 128,
        widths: Sequence[int] = (64,),
        mels: int = 40,
        window_ms: float = 32.0,
        hop_ms: float = 10.0,
        time_masks: int = 0,
        time_width: int = 0,
        frequency_masks: int = 0,
        frequency_width: int = 0,
    ):
        """Waveforms of `size` samples a second; a block for each of `widths`, and one of `dim`, halves time.

        The masks, with their widths in frames and in mel bands, are those of `SpecAugment`, in training only.
        """
        super().__init__()
        self.dim = dim
        self.spectrogram = LogMel(size, mels, window_ms, hop_ms)
        self.hide = SpecAugment(time_masks, time_width, frequency_masks, frequency_width)
        self.blocks = nn.ModuleList(Block(before, after) for before, after in pairwise([mels, *widths, dim]))

    def forward(self, signal: Signal) -> Signal:
        decibels, mask = self.spectrogram(signal)  # (B, F, mels), (B, F)
        mean = Signal(decibels, mask).pooled().mean(dim=1)[:, None, None]  # (B, 1, 1): loudness says nothing
        steps = ((decibels - mean) / 20.0).masked_fill(~mask.unsqueeze(-1), 0.0)  # (B, F, mels), in units of 20 dB
        steps = self.hide(steps, mask)
        for block in self.blocks:
            steps, mask = block(steps, mask)  # (B, F, C), (B, F)
        return Signal(steps, mask)


class Block(nn.Module):
    def __init__(self, before: int, after: int):
        super().__init__()
        self.convolve = nn.Conv1d(before, after, 3, padding=1)
        self.halve = nn.MaxPool1d(2, ceil_mode=True)
        self.norm = nn.LayerNorm(after)

    def forward(
        self, steps: Float[Tensor, "B F C"], mask: Bool[Tensor, "B F"]
    ) -> tuple[Float[Tensor, "B G D"], Bool[Tensor, "B G"]]:
        maps = self.convolve(steps.transpose(1, 2)).masked_fill(~mask.unsqueeze(1), -torch.inf)  # no padding wins
        halved = self.halve(mask.float().unsqueeze(1))[:, 0] > 0  # (B, G)
        steps = self.halve(maps).transpose(1, 2).masked_fill(~halved.unsqueeze(-1), 0.0)  # (B, G, D)
        return self.norm(steps).relu().masked_fill(~halved.unsqueeze(-1), 0.0), halved
