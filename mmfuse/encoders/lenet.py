"""LeNet, a 5x5 convolution and some 3x3 ones, each halved by pooling. A step for each place of its last map.

LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998, https://doi.org/10.1109/5.726791, as
MultiBench has it for AV-MNIST (Liang et al., 2021, https://arxiv.org/abs/2107.07502): relu, max-pooling and batch
normalization, channels doubled each time, no layers behind the convolutions.
"""

import torch
from torch import nn

from mmfuse.encoders.halve import Halve
from mmfuse.encoders.narrow_norm import NarrowNorm
from mmfuse.encoders.pictures import by_place, over_pictures
from mmfuse.types import Encoder, Signal


class LeNet(Encoder):
    def __init__(self, size: int, channels: int = 6, layers: int = 3):
        """Pictures of `size` channels and any height and width; `layers` 3x3 convolutions behind the first."""
        super().__init__()
        self.dim = channels * 2**layers
        self.blocks = nn.Sequential(block(size, channels, 5))
        for layer in range(layers):
            self.blocks.append(block(channels * 2**layer, channels * 2 ** (layer + 1), 3))

    def forward(self, signal: Signal) -> Signal:
        return over_pictures(self, self.steps, signal)

    def steps(self, pixels: torch.Tensor) -> torch.Tensor:
        return by_place(self.blocks(pixels))  # (N, places, dim)


def block(before: int, after: int, side: int) -> nn.Sequential:
    convolve = nn.Conv2d(before, after, side, padding=side // 2, bias=False)
    nn.init.kaiming_uniform_(convolve.weight)
    return nn.Sequential(convolve, NarrowNorm(after), Halve(), nn.ReLU())  # of the largest, relu is the largest relu
