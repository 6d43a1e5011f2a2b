"""Barlow Twins between modalities, where a feature says the same in both, and no other feature says it.

C = A'B / n for codes standardised over the batch (variance over n, plus 1e-5): the sum of (1 - C_ii)^2, and 0.0051
times that of C_ij^2 for i and j that differ. Zbontar et al., Barlow Twins, ICML 2021, https://arxiv.org/abs/2103.03230.

It counts the rows that have both modalities, of all devices together; fewer than two of them are no loss.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from mmfuse.objectives.pairs import Alignment, Pair
from mmfuse.types import Batch


class Barlow(Alignment):
    def __init__(
        self, dims: Mapping[str, int], redundancy: float = 0.0051, projection: int | None = None, weight: float = 1.0
    ):
        super().__init__(dims, weight, projection)
        if redundancy < 0:
            raise ValueError(f"redundancy={redundancy}: at least 0 is needed")
        self.redundancy = redundancy

    def loss(self, pair: Pair, batch: Batch) -> Float[Tensor, ""]:
        return twins(pair.x, pair.y, self.redundancy)


def twins(x: Float[Tensor, "n d"], y: Float[Tensor, "n d"], redundancy: float) -> Float[Tensor, ""]:
    """
    >>> x = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> round(twins(x, x, redundancy=1.0).item(), 4), round(twins(x, -x, redundancy=1.0).item(), 4)  # 2 (1 + 1)^2
    (0.0, 7.9999)
    """
    correlations = standardised(x).T @ standardised(y) / len(x)  # (d, d)
    own = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)  # (d, d)
    weights = own + redundancy * (1 - own)
    return (weights * (own - correlations).square()).sum()


def standardised(x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    return (x - x.mean(dim=0)) / (x.var(dim=0, correction=0) + 1e-5).sqrt()
