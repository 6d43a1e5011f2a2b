"""Batch normalization that stays quick where there are few channels.

Channels that lie next to each other are what convolution and pooling on a CPU are quickest with, and what batch
normalization is not, while they do not fill a vector of the processor: its backward pass then takes several times as
long as over maps that lie one after another. Two copies cost less than that.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

NARROW = 8  # channels up to which the copies pay


class NarrowNorm(nn.BatchNorm2d):
    def forward(self, maps: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        if self.num_features > NARROW or maps.device.type != "cpu":
            return super().forward(maps)
        return super().forward(maps.contiguous()).contiguous(memory_format=torch.channels_last)
