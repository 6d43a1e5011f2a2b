"""From waveforms to the power of their frequencies over time, and to decibels: what all front ends for sound share.

Batched torch on whatever device the model is on, clip by clip what librosa says of each clip alone.
"""

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse.types import Signal

RANGE = 80.0  # decibels below the loudest place of a clip at which all is as silent: librosa's top_db


class Front(nn.Module, ABC):
    """What an encoder of sound hears with: waveforms (B, samples) -> `bands` figures a frame (B, F, bands)."""

    bands: int

    @abstractmethod
    def forward(self, signal: Signal) -> Signal:
        """As librosa has them; zeros beyond a clip's end."""

    def scaled(self, steps: Float[Tensor, "B F C"], mask: Bool[Tensor, "B F"]) -> Float[Tensor, "B F C"]:
        """In units of 20 decibels about the clip's own mean, so that loudness says nothing; for a network."""
        mean = Signal(steps, mask).pooled().mean(dim=1)[:, None, None]  # (B, 1, 1)
        return ((steps - mean) / 20.0).masked_fill(~mask.unsqueeze(-1), 0.0)


class Spectrum(nn.Module):
    window: Tensor

    def __init__(self, rate: int, window_ms: float, hop_ms: float):
        """`rate` in samples a second. The window is rounded up to a power of two samples: 32 ms at 8 kHz is 256."""
        super().__init__()
        self.hop = round(rate * hop_ms / 1000)
        self.length = 2 ** math.ceil(math.log2(rate * window_ms / 1000))
        self.bins = self.length // 2 + 1
        if self.hop < 1:
            raise ValueError(f"hop_ms={hop_ms} is less than one sample at {rate} samples a second")
        if self.length < 2:
            raise ValueError(f"window_ms={window_ms} is less than two samples at {rate} samples a second")
        self.register_buffer("window", torch.hann_window(self.length), persistent=False)

    def forward(self, signal: Signal) -> tuple[Float[Tensor, "B F bins"], Bool[Tensor, "B F"]]:
        """Power and its mask, 1 + samples // hop centred frames for each clip. Beyond its ends is silence."""
        sound = signal.data.masked_fill(~signal.mask, 0.0)
        spectrum = torch.stft(
            sound, self.length, self.hop, window=self.window, center=True, pad_mode="constant", return_complex=True
        ).transpose(1, 2)  # (B, F, bins), which is how it lies in memory
        power = (spectrum * spectrum.conj()).real  # (B, F, bins); far cheaper than abs(), or a sum of squares
        samples = signal.mask.sum(dim=1)  # (B,)
        frames = torch.where(samples > 0, 1 + samples // self.hop, 0)
        return power, torch.arange(power.shape[1], device=frames.device) < frames[:, None]


def in_decibels(power: Float[Tensor, "B F C"], mask: Bool[Tensor, "B F"]) -> Signal:
    """No less than `RANGE` below the loudest place of each clip; that of the batch says nothing."""
    decibels = 10 * power.clamp(min=1e-10).log10()  # (B, F, C)
    heard = decibels.masked_fill(~mask.unsqueeze(-1), -torch.inf)
    floor = heard.amax(dim=(1, 2), keepdim=True) - RANGE  # (B, 1, 1)
    return Signal(torch.maximum(decibels, floor).masked_fill(~mask.unsqueeze(-1), 0.0), mask)
