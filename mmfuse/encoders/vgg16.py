"""VGG-16, thirteen 3x3 convolutions in five blocks, each halved. A step for each place of its last map.

Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2014,
https://arxiv.org/abs/1409.1556, configuration D without its fully connected layers. Its weights have torchvision's
names, so that files of those can be loaded. Initial ones are He's (2015, https://arxiv.org/abs/1502.01852), from which
it can learn without the paper's detour over shallower networks.
"""

from itertools import pairwise

import torch
from torch import nn

from mmfuse.encoders.halve import Halve
from mmfuse.encoders.pictures import by_place, over_pictures
from mmfuse.encoders.pretrained import Pretrained
from mmfuse.encoders.weights import load_weights, read_weights
from mmfuse.types import Signal

BLOCKS = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))  # of `width`: channels, and how many convolutions


class VGG16(Pretrained):
    def __init__(
        self,
        size: int,
        width: int = 64,
        weights: str | None = None,
        freeze: bool | int = False,
        unfreeze_at: int | None = None,
        lr: float | None = None,
    ):
        """Pictures of `size` channels and any height and width; the paper's `width` is 64. Layers are its blocks."""
        super().__init__()
        self.dim = 8 * width
        self.features = nn.Sequential()
        ends, channels = [0], size
        for times, count in BLOCKS:
            for _ in range(count):
                self.features.extend([convolution(channels, times * width), nn.ReLU()])
                channels = times * width
            self.features.append(Halve())
            ends.append(len(self.features))
        if weights is not None:
            load_weights(self, read_weights(weights), weights)
        blocks = [self.features[start:end] for start, end in pairwise(ends)]
        self.hold(blocks, freeze, unfreeze_at, lr)

    def forward(self, signal: Signal) -> Signal:
        return over_pictures(self, self.steps, signal)

    def steps(self, pixels: torch.Tensor) -> torch.Tensor:
        return by_place(self.features(pixels))  # (N, places, dim)


def convolution(before: int, after: int) -> nn.Conv2d:
    layer = nn.Conv2d(before, after, 3, padding=1)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
