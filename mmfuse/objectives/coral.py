"""Correlation alignment (CORAL), by which features vary together in the same way in all modalities.

The sum of the squares of C_a - C_b, covariances over n - 1 of D features, divided by 4 D^2. Sun and Saenko, Deep CORAL,
2016, https://arxiv.org/abs/1607.01719.

It compares how codes are distributed, and does not know which belong together: it needs no rows that have both, takes
all that have one, and leaves retrieval of one modality by another at chance. Without a projection, which could shrink
to nothing. A modality that fewer than two rows have, of all devices together, has no loss.
"""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from mmfuse.objectives.pairs import Alignment, Pair
from mmfuse.types import Batch


class Coral(Alignment):
    margins = True

    def __init__(self, dims: Mapping[str, int], weight: float = 1.0):
        super().__init__(dims, weight)

    def loss(self, pair: Pair, batch: Batch) -> Float[Tensor, ""]:
        return coral(pair.x, pair.y)


def coral(x: Float[Tensor, "n d"], y: Float[Tensor, "k d"]) -> Float[Tensor, ""]:
    """
    >>> import torch
    >>> coral(torch.tensor([[1.0, 1.0], [-1.0, -1.0]]), torch.zeros(3, 2)).item()  # 4 x 2^2 / (4 x 2^2)
    1.0
    """
    return (covariance(x) - covariance(y)).square().sum() / (4 * x.shape[1] ** 2)


def covariance(x: Float[Tensor, "n d"]) -> Float[Tensor, "d d"]:
    rest = x - x.mean(dim=0)
    return rest.T @ rest / (len(x) - 1)
