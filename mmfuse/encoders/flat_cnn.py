"""Convolutions of 3x3, each halved by max-pooling, and all places of the last map side by side, as one vector.

The picture's side of easy-VQA (Zhou, 2019, https://github.com/vzhou842/easy-VQA-keras), which has no activation between
convolutions but the maximum of the pooling. Where an object is, is told apart, as a mean over places does not. Weights
start as Keras has them, by Glorot and Bengio, 2010, https://proceedings.mlr.press/v9/glorot10a, and biases at 0.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import torch
from torch import nn

from mmfuse.encoders.halve import Halve
from mmfuse.encoders.pictures import over_pictures
from mmfuse.types import Encoder, Signal


class FlatCNN(Encoder):
    def __init__(self, size: int, widths: Sequence[int] = (8, 16), places: Sequence[int] = (16, 16)):
        """Pictures of `size` channels; a last map of other `places`, high and wide, is averaged to these.

        Bytes are scaled to go from -.5 to .5, and other numbers taken as they are.
        """
        super().__init__()
        self.dim = widths[-1] * prod(places)
        layers: list[nn.Module] = []
        for before, after in pairwise([size, *widths]):
            convolve = nn.Conv2d(before, after, 3, padding=1)
            nn.init.xavier_uniform_(convolve.weight)
            nn.init.zeros_(convolve.bias)  # type: ignore[arg-type]
            layers += [convolve, Halve()]
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(tuple(places)))

    def forward(self, signal: Signal) -> Signal:
        half = 0.5 if signal.data.dtype == torch.uint8 else 1.0
        return over_pictures(self, lambda pixels: self.layers(half * pixels).flatten(1).unsqueeze(1), signal)
