"""The weighted sum of the losses."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mmfuse.types import Balancer, Step


class Plain(Balancer):
    def __init__(self, losses: Sequence[str], weights: Mapping[str, float] | None = None):
        """`losses` are the names of those that there will be; a fusion's own, "fusion/...", may come besides.

        `weights` by a loss's whole name ("task/digit") or its first part ("task"); 1 where none is given.
        """
        super().__init__()
        self.weights = dict(weights or {})
        known = {*losses, *(name.split("/")[0] for name in losses)}
        if unknown := [w for w in self.weights if w not in known and w.split("/")[0] != "fusion"]:
            raise ValueError(f"weights: there is no loss {unknown}; there are {list(losses)}")

    def forward(self, step: Step) -> Tensor:
        each = [(self.weight(name), loss) for name, loss in step.losses.items()]
        weighted = [loss if not isinstance(w, Tensor) and w == 1 else w * loss for w, loss in each]
        return weighted[0] if len(weighted) == 1 else torch.stack(weighted).sum()

    def weight(self, name: str) -> float | Tensor:
        """A tensor where runs of a stack differ in it."""
        return self.weights.get(name, self.weights.get(name.split("/")[0], 1.0))
