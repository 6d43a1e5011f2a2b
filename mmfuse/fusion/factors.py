"""Products over modalities: one factor each, made by a module of its own, and 1 where a modality is absent.

So an absent modality leaves the product of the others as it is, and a row without any is ones.
"""

from collections.abc import Mapping
from functools import reduce

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse.fusion.vectors import present_in
from mmfuse.shown import shown
from mmfuse.types import Parts, Signal, Signals


class Factors(nn.Module):
    def __init__(self, maps: Mapping[str, nn.Module]):
        """`maps` make vectors of one width."""
        super().__init__()
        self.maps = Parts(maps)

    def forward(self, signals: Signals) -> tuple[Float[Tensor, "B D"], Bool[Tensor, " B"]]:
        """The product, and whether a row has any modality."""
        product = reduce(torch.mul, [self.factor(m, signals[m]) for m in self.maps])
        return product, present_in(signals, self.maps).any(dim=1)

    def factor(self, modality: str, signal: Signal) -> Float[Tensor, "B D"]:
        return shown(self.maps[modality](signal.pooled()), signal.present.unsqueeze(1), 1.0)
