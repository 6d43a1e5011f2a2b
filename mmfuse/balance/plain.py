"""The weighted sum of the losses.

It keeps every feature of the trainer: accumulation, any precision, several devices.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from mmfuse.types import Balancer, Losses


class Plain(Balancer):
    def __init__(self, weights: Mapping[str, float] | None = None):
        """`weights` by a loss's whole name ("task/digit") or its first part ("task"); 1 where none is given."""
        super().__init__()
        self.weights = dict(weights or {})

    def forward(self, losses: Losses) -> Tensor:
        def weight(name: str) -> float:
            return self.weights.get(name, self.weights.get(name.split("/")[0], 1.0))

        if unknown := [w for w in self.weights if w not in losses and w not in {n.split("/")[0] for n in losses}]:
            raise ValueError(f"weights: there is no loss {unknown}; there are {list(losses)}")
        return torch.stack([weight(name) * loss for name, loss in losses.items()]).sum()
