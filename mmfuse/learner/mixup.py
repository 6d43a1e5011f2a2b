"""Rows mixed in pairs after their encoders, and their losses with them: code = l code_i + (1 - l) code_j.

Zhang et al., mixup, 2018, https://arxiv.org/abs/1710.09412, where Verma et al., Manifold Mixup, 2019,
https://arxiv.org/abs/1806.05236, mix: in a layer within, here always the same one, where modalities are still apart.
l ~ Beta(alpha, alpha) is drawn once a batch and is at least a half, which mixes no other pairs, for i with j and j with
i are as likely. The loss is l loss(y_i) + (1 - l) loss(y_j).

A row is mixed with one that has the same modalities; where none has, it stays as it is. It keeps its own steps: one
that the other row has none for stays as it is, and those that only the other has are left out.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from mmfuse.types import Batch, Fusion, Losses, Model, Signal, Signals, Task


class Mix(NamedTuple):
    partners: Int[Tensor, " B"]  # the row that each is mixed with, maybe itself
    share: float  # of the row's own, l

    def signals(self, encoded: Signals) -> Signals:
        found = {}
        for m, (data, mask) in encoded.items():
            other, there = data[self.partners], mask[self.partners]
            own = data.masked_fill(~mask.unsqueeze(-1), 0.0)  # (B, T, D)
            mixed = torch.lerp(other.masked_fill(~there.unsqueeze(-1), 0.0), own, self.share)
            found[m] = Signal(torch.where((mask & there).unsqueeze(-1), mixed, own), mask)
        return found

    def batch(self, batch: Batch) -> Batch:
        """That of the other rows."""
        signals = {m: Signal(data[self.partners], mask[self.partners]) for m, (data, mask) in batch.signals.items()}
        targets = {t: target[self.partners] for t, target in batch.targets.items()}
        return Batch(signals, targets, batch.rows[self.partners])

    def losses(self, own: Losses, other: Losses) -> Losses:
        return {name: self.share * loss + (1 - self.share) * other[name] for name, loss in own.items()}


def drawn(encoded: Signals, alpha: float) -> Mix:
    share = float(torch.distributions.Beta(alpha, alpha).sample())
    return Mix(paired(torch.stack([s.present for s in encoded.values()], dim=1)), max(share, 1 - share))


def paired(present: Bool[Tensor, "B M"]) -> Int[Tensor, " B"]:
    """For each row another that has the same modalities, every row once; itself where there is no other."""
    _, group = present.unique(dim=0, return_inverse=True)  # (B,)
    order = torch.argsort(group + torch.rand(len(group), device=group.device).double())  # group by group, at random
    sorted_groups = group[order]
    first = torch.searchsorted(sorted_groups, sorted_groups)  # (B,) where each row's group begins
    last = torch.searchsorted(sorted_groups, sorted_groups, right=True) - 1  # and ends
    place = torch.arange(len(group), device=group.device)
    return torch.empty_like(order).scatter(0, order, order[torch.where(place == last, first, place + 1)])


def checked(alpha: float, model: Model, tasks: Mapping[str, Task]) -> float:
    if alpha < 0:
        raise ValueError(f"mixup={alpha}: at least 0 is needed")
    if alpha and (odd := [t for t, task in tasks.items() if task.of is not None or task.between]):
        raise ValueError(f"mixup={alpha} mixes whole rows, which task '{odd[0]}' is not about\n  to go on: mixup=0")
    if alpha and any(isinstance(part, Fusion) and part.remembers for part in model.modules()):
        raise ValueError(
            f"mixup={alpha}: the fusion remembers what each row cost, and rows are mixed\n  to go on: mixup=0"
        )
    return alpha
