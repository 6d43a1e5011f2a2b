"""A convolutional network over log-mel spectrograms. What it returns has a step for each place in time.

Blocks of a convolution over time and pitch, normalization over channels, and relu, halved by max-pooling; then the
pitches of each moment are joined by a linear layer. Frames beyond a clip's end are zeros before every convolution, as
its own border is, so that padding changes nothing.
"""

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse.encoders.log_mel import LogMel
from mmfuse.types import Encoder, Signal


class MelCNN(Encoder):
    def __init__(
        self,
        size: int,
        dim: int = 128,
        widths: Sequence[int] = (16, 32),
        mels: int = 40,
        window_ms: float = 32.0,
        hop_ms: float = 10.0,
    ):
        """Waveforms of `size` samples a second."""
        super().__init__()
        self.dim = dim
        self.spectrogram = LogMel(size, mels, window_ms, hop_ms)
        self.blocks = nn.ModuleList(Block(before, after) for before, after in pairwise([1, *widths]))
        pitches = mels
        for _ in widths:
            pitches = -(-pitches // 2)  # each block halves them, rounding up
        self.join = nn.Sequential(nn.Linear([1, *widths][-1] * pitches, dim), nn.ReLU())

    def forward(self, signal: Signal) -> Signal:
        decibels, mask = self.spectrogram(signal)  # (B, F, mels), (B, F)
        mean = Signal(decibels, mask).pooled().mean(dim=1)[:, None, None]  # (B, 1, 1): loudness says nothing
        maps = ((decibels - mean) / 20.0).unsqueeze(1)  # (B, 1, F, mels), in units of 20 dB
        for block in self.blocks:
            maps, mask = block(maps, mask)  # (B, C, F, pitches), (B, F)
        return Signal(self.join(maps.transpose(1, 2).flatten(2)), mask)  # (B, F, dim)


class Block(nn.Module):
    def __init__(self, before: int, after: int):
        super().__init__()
        self.convolve = nn.Conv2d(before, after, 3, padding=1)
        self.norm = nn.LayerNorm(after)
        self.halve = nn.MaxPool2d(2, ceil_mode=True)

    def forward(
        self, maps: Float[Tensor, "B C F P"], mask: Bool[Tensor, "B F"]
    ) -> tuple[Float[Tensor, "B D G Q"], Bool[Tensor, "B G"]]:
        maps = self.convolve(maps.masked_fill(~mask[:, None, :, None], 0.0))
        maps = self.norm(maps.movedim(1, -1)).movedim(-1, 1).relu()
        maps = maps.masked_fill(~mask[:, None, :, None], 0.0)  # so that no padding wins the maximum
        real = nn.functional.max_pool1d(mask.float().unsqueeze(1), 2, ceil_mode=True)  # (B, 1, G)
        return self.halve(maps), real[:, 0] > 0
