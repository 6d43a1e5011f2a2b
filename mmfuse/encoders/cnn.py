"""A small convolutional network over pictures. What it returns has a step for each place of its last map.

Blocks of a 3x3 convolution, group normalization (Wu and He, 2018, https://arxiv.org/abs/1803.08494) and relu, halved
by max-pooling between blocks. Groups and not batches are normalized, so that a picture is encoded alike whatever else
is in its batch, and a missing picture disturbs no other.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from mmfuse.encoders.pictures import scaled
from mmfuse.types import Encoder, Signal


class CNN(Encoder):
    def __init__(self, size: int, dim: int = 128, widths: Sequence[int] = (32, 64, 128), groups: int = 8):
        """Pictures of `size` channels and any height and width; `widths` are the blocks' before the last.

        Bytes are scaled to go from -1 to 1, and other numbers taken as they are.
        """
        super().__init__()
        self.dim = dim
        layers: list[nn.Module] = []
        for before, after in pairwise([size, *widths, dim]):
            if after % groups:
                raise ValueError(f"widths={list(widths)}, dim={dim}: each has to be a multiple of groups={groups}")
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(groups, after), nn.ReLU()]
            layers += [nn.MaxPool2d(2, ceil_mode=True)]
        self.layers = nn.Sequential(*layers[:-1])  # the last map is not halved

    def forward(self, signal: Signal) -> Signal:
        rows, frames = signal.mask.shape
        pixels = scaled(signal.data.flatten(0, 1))  # (B T, C, H, W)
        pixels = pixels.masked_fill(~signal.mask.flatten()[:, None, None, None], 0.0)
        maps = self.layers(pixels).flatten(2).transpose(1, 2)  # (B T, places, D)
        places = maps.shape[1]
        return Signal(
            maps.reshape(rows, frames * places, self.dim),
            signal.mask.repeat_interleave(places, dim=1),  # (B, T places)
        )
