"""What losses between two modalities have in common: the pairs there are, the rows that count, a space to meet in.

A code is the mean of a modality's steps. Where several devices train, the rows of all of them are one batch.
"""

from abc import abstractmethod
from collections.abc import Mapping
from itertools import combinations
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse.objectives.ranks import joined
from mmfuse.types import Batch, Losses, Objective, Outputs, Parts, Signals


class Pair(NamedTuple):
    place: int  # among the pairs
    x: Float[Tensor, "n D"]  # codes of one modality
    y: Float[Tensor, "k D"]  # and of the other: of the same rows, where rows are compared
    rows: Bool[Tensor, " N"]  # of the batch of all ranks: which have both


class Alignment(Objective):
    """A loss for each two modalities, such as "align/contrastive/audio-text"."""

    joins = True
    margins: ClassVar[bool] = False  # whether it compares how each is distributed, not rows that have both

    def __init__(self, dims: Mapping[str, int], weight: float, projection: int | None = None):
        """`projection` is the width of a space of its own, which a linear layer leads to from each modality's code.

        There the modalities are aligned, and not in the codes themselves: heads that are taught by one modality can
        then not be asked of another.
        """
        super().__init__()
        self.modalities, self.weight = several(dims), checked(weight)
        self.pairs = list(combinations(self.modalities, 2))
        if projection is None and len(set(dims.values())) > 1:
            widths = ", ".join(f"encoder.{m}.dim={dim}" for m, dim in dims.items())
            raise ValueError(
                f"codes that are aligned have to be of one width, but {widths}\n  to go on: the same dim for all"
                + ("" if self.margins else ", or a projection of this objective, such as projection=64")
            )
        self.width = projection or next(iter(dims.values()))
        self.projections = Parts({} if projection is None else {m: nn.Linear(d, projection) for m, d in dims.items()})

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"align/{type(self).__name__.lower()}/{a}-{b}" for a, b in self.pairs)

    def shared(self, encoded: Signals) -> dict[str, Float[Tensor, "B D"]]:
        pooled = {m: encoded[m].pooled() for m in self.modalities}  # (B, d) each
        return {m: self.projections[m](z) if m in self.projections else z for m, z in pooled.items()}

    def forward(self, outputs: Outputs, batch: Batch) -> Losses:
        codes = {m: joined(precise(code)) for m, code in self.shared(outputs.encoded).items()}  # (N, D)
        present = {m: joined(outputs.encoded[m].present.byte()).bool() for m in self.modalities}  # (N,)
        losses: Losses = {}
        for place, (name, (a, b)) in enumerate(zip(self.names, self.pairs, strict=True)):
            both = present[a] & present[b]  # (N,)
            x, y = (codes[m][present[m] if self.margins else both] for m in (a, b))  # (n, D), (k, D)
            if min(len(x), len(y)) < 2:
                losses[name] = 0.0 * (x.sum() + y.sum())
                continue
            with torch.autocast(x.device.type, enabled=False):
                losses[name] = self.weight * self.loss(Pair(place, x, y, both), batch)
        return losses

    @abstractmethod
    def loss(self, pair: Pair, batch: Batch) -> Float[Tensor, ""]:
        """Of two rows or more."""


def several(dims: Mapping[str, int]) -> list[str]:
    if len(dims) < 2:
        raise ValueError(f"two modalities are needed, and there is {', '.join(dims)} alone")
    return list(dims)


def checked(weight: float) -> float:
    if weight < 0:
        raise ValueError(f"weight={weight}: at least 0 is needed")
    return weight


def precise(x: Tensor) -> Tensor:
    """In float32 at least: sums over a batch are more than half precision holds."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
