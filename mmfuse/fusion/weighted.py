"""A weighted mean of the modalities in a shared space: sum of a_m W_m z_m, the weights of those present summing to 1.

The weights are the user's (text 0.3, image 0.5, audio 0.2, say) or learned, softmax(a) with a = 0 at the start, which
is the mean. An absent modality's weight goes to the others in proportion; a row without any, or with none but those of
weight 0, is zeros.
Parameters: sum of (d_m + 1) * dim, or none where all widths agree and `dim` is null; M more where weights are learned.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mmfuse.fusion.shared_space import SharedSpace
from mmfuse.types import Fused, Fusion, Signal, Signals


class WeightedFusion(Fusion):
    def __init__(
        self,
        dims: dict[str, int],
        dim: int | None = None,
        weights: Mapping[str, float] | Sequence[float] | None = None,
    ):
        super().__init__()
        self.space = SharedSpace(dims, dim)
        self.dim = self.space.dim
        self.learned: Tensor | None
        self.fixed: Tensor | None
        fixed = None if weights is None else torch.tensor(by_modality(weights, list(dims)))  # (M,)
        self.register_buffer("fixed", fixed)
        self.register_parameter("learned", nn.Parameter(torch.zeros(len(dims))) if weights is None else None)

    def forward(self, signals: Signals) -> Signal:
        return self.fuse(signals).signal

    def fuse(self, signals: Signals) -> Fused:
        mapped, present = self.space(signals)  # (B, M, D), (B, M)
        weights = self.fixed if self.learned is None else self.learned.softmax(dim=0)  # (M,)
        shares = weights * present  # (B, M)
        shares = shares / shares.sum(dim=1, keepdim=True).clamp(min=torch.finfo(shares.dtype).tiny)
        mean = torch.bmm(shares.unsqueeze(1), mapped)  # (B, 1, D)
        return Fused(Signal(mean, present.any(dim=1, keepdim=True)), weights=shares)


def by_modality(weights: Mapping[str, float] | Sequence[float], modalities: Sequence[str]) -> list[float]:
    """
    >>> by_modality({"text": 0.3, "image": 0.7}, ["image", "text"])
    [0.7, 0.3]
    """
    given = dict(weights) if isinstance(weights, Mapping) else dict(zip(modalities, weights, strict=False))
    alike = set(given) == set(modalities) and len(weights) == len(modalities)
    if not alike or min(given.values()) < 0 or sum(given.values()) <= 0:
        raise ValueError(
            f"weights={weights}: one is needed for each of {list(modalities)}, none negative and not all zero"
        )
    return [float(given[m]) for m in modalities]
