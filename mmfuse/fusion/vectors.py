"""The modalities of a batch as vectors: the mean of each one's real steps, zeros where it is absent.

What all modalities need is done once, where they can lie in one tensor: for small vectors time goes by the number of
operations.
"""

from collections.abc import Collection, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mmfuse.types import Signal, Signals


def present_in(signals: Signals, modalities: Collection[str]) -> Bool[Tensor, "B M"]:
    """Which modalities each row has."""
    found = [signals[m] for m in modalities]
    if are_vectors(found):
        return torch.cat([s.mask for s in found], dim=1)
    return torch.stack([s.present for s in found], dim=1)


def stacked(signals: Signals, modalities: Collection[str]) -> tuple[Float[Tensor, "B M D"], Bool[Tensor, "B M"]]:
    """Of modalities of one width; and which of them each row has."""
    found = [signals[m] for m in modalities]
    if not are_vectors(found):
        return torch.stack([s.pooled() for s in found], dim=1), torch.stack([s.present for s in found], dim=1)
    present = torch.cat([s.mask for s in found], dim=1)  # (B, M)
    data = torch.cat([s.data for s in found], dim=1)  # (B, M, D)
    return torch.where(present.unsqueeze(2), data, 0.0), present  # quicker than masked_fill


def are_vectors(signals: Sequence[Signal]) -> bool:
    return all(s.mask.shape[1] == 1 for s in signals)


def side_by_side(signals: Signals, modalities: Collection[str]) -> tuple[Float[Tensor, "B J"], Bool[Tensor, "B M"]]:
    """One after another, of any widths, J together; and which of them each row has."""
    if len({signals[m].data.shape[2] for m in modalities}) == 1:
        vectors, present = stacked(signals, modalities)
        return vectors.flatten(1), present
    return torch.cat([signals[m].pooled() for m in modalities], dim=1), present_in(signals, modalities)
