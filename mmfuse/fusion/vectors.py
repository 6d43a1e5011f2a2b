"""The modalities of a batch as vectors: the mean of each one's real steps, zeros where it is absent.

What all modalities need is done once, where they can lie in one tensor: for small vectors time goes by the number of
operations.
"""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mmfuse.shown import shown
from mmfuse.types import Signal, Signals


def present_in(signals: Signals, modalities: Iterable[str]) -> Bool[Tensor, "B M"]:
    """Which modalities each row has."""
    return presence([signals[m] for m in modalities])


def stacked(signals: Signals, modalities: Iterable[str]) -> tuple[Float[Tensor, "B M D"], Bool[Tensor, "B M"]]:
    """Of modalities of one width; and which of them each row has."""
    return stack([signals[m] for m in modalities])


def side_by_side(signals: Signals, modalities: Iterable[str]) -> tuple[Float[Tensor, "B J"], Bool[Tensor, "B M"]]:
    """One after another, of any widths, J together; and which of them each row has."""
    found = [signals[m] for m in modalities]
    if len({s.data.shape[2] for s in found}) > 1:
        return torch.cat([s.pooled() for s in found], dim=1), presence(found)
    vectors, present = stack(found)
    return vectors.flatten(1), present


def stack(signals: Sequence[Signal]) -> tuple[Float[Tensor, "B M D"], Bool[Tensor, "B M"]]:
    present = presence(signals)
    if not are_vectors(signals):
        return torch.stack([s.pooled() for s in signals], dim=1), present
    data = torch.cat([s.data for s in signals], dim=1)  # (B, M, D)
    return shown(data, present.unsqueeze(2)), present


def presence(signals: Sequence[Signal]) -> Bool[Tensor, "B M"]:
    if are_vectors(signals):
        return torch.cat([s.mask for s in signals], dim=1)
    return torch.stack([s.present for s in signals], dim=1)


def are_vectors(signals: Sequence[Signal]) -> bool:
    return all(s.mask.shape[1] == 1 for s in signals)
