"""A residual network (ResNet), transformers' own. What it returns has a step for each place of its last map.

He et al., Deep Residual Learning for Image Recognition, 2015, https://arxiv.org/abs/1512.03385. In the bottleneck it is
the 3x3 convolution that halves, as in torchvision's. Weights are read from files of transformers and of torchvision.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from transformers import ResNetConfig, ResNetModel

from mmfuse.encoders.pictures import by_place, over_pictures
from mmfuse.encoders.pretrained import Pretrained
from mmfuse.encoders.weights import load_weights, read_weights
from mmfuse.types import Signal

# torchvision's names and transformers'. Theirs count stages and layers within a block from 1, and from 0.
STEM = {"conv1": "embedder.embedder.convolution", "bn1": "embedder.embedder.normalization"}
BLOCK = re.compile(r"layer(\d)\.(\d+)\.(conv|bn|downsample\.)(\d)\.(\w+)")
PART = {"conv": "convolution", "bn": "normalization", "0": "convolution", "1": "normalization"}


class ResNet(Pretrained):
    def __init__(
        self,
        size: int,
        layer: Literal["basic", "bottleneck"],
        depths: Sequence[int],
        widths: Sequence[int],
        stem: int = 64,
        weights: str | None = None,
        freeze: bool | int = False,
        unfreeze_at: int | None = None,
        lr: float | None = None,
    ):
        """Pictures of `size` channels and any height and width.

        `depths` and `widths` are the blocks and the channels of each stage, `stem` the channels before the first. The
        layers that `freeze` counts are the stages behind the stem.
        """
        super().__init__()
        if len(depths) != len(widths):
            raise ValueError(f"depths={list(depths)}, widths={list(widths)}: one of each is needed for every stage")
        self.dim = widths[-1]
        self.network = ResNetModel(
            ResNetConfig(
                num_channels=size,
                embedding_size=stem,
                hidden_sizes=list(widths),
                depths=list(depths),
                layer_type=layer,
            )
        )
        if weights is not None:
            load_weights(self.network, renamed(read_weights(weights)), weights)
        self.hold([self.network.embedder, *self.network.encoder.stages], freeze, unfreeze_at, lr)

    def forward(self, signal: Signal) -> Signal:
        return over_pictures(self, self.steps, signal)

    def steps(self, pixels: torch.Tensor) -> torch.Tensor:
        return by_place(self.network(pixels).last_hidden_state)  # (N, places, dim)


def renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name_of(name): value for name, value in weights.items()}


def name_of(name: str) -> str:
    """transformers' name of a weight, without the prefix that it has beneath a head.

    >>> name_of("layer2.0.bn3.weight"), name_of("layer1.1.downsample.0.weight")
    ('encoder.stages.1.layers.0.layer.2.normalization.weight', 'encoder.stages.0.layers.1.shortcut.convolution.weight')
    >>> name_of("bn1.running_mean"), name_of("resnet.embedder.embedder.convolution.weight")
    ('embedder.embedder.normalization.running_mean', 'embedder.embedder.convolution.weight')
    """
    module, _, last = name.rpartition(".")
    if module in STEM:
        return f"{STEM[module]}.{last}"
    if match := BLOCK.fullmatch(name):
        stage, block, part, number, last = match.groups()
        inside = f"shortcut.{PART[number]}" if part == "downsample." else f"layer.{int(number) - 1}.{PART[part]}"
        return f"encoder.stages.{int(stage) - 1}.layers.{block}.{inside}.{last}"
    return name.removeprefix("resnet.")
