"""Sigmoid alignment (SigLIP), which asks of every two codes by themselves whether they are of one row.

For codes of length 1, the scale t and the bias b: the sum over i and j of softplus(-z_ij (t x_i y_j + b)) divided by
the rows, z_ij 1 where i = j and -1 elsewhere. Zhai et al., Sigmoid Loss for Language Image Pre-Training, ICCV 2023,
https://arxiv.org/abs/2303.15343. t, as its logarithm, and b are learned, one each for every two modalities, and start
at 10 and -10, so that at first nearly all is rightly said to be of different rows.

It counts the rows that have both modalities, of all devices together; fewer than two of them are no loss.
"""

from collections.abc import Mapping
from math import log

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mmfuse.objectives.pairs import Alignment, Pair
from mmfuse.types import Batch


class Siglip(Alignment):
    def __init__(
        self,
        dims: Mapping[str, int],
        scale: float = 10.0,
        bias: float = -10.0,
        projection: int | None = None,
        weight: float = 1.0,
    ):
        """`scale` and `bias` are what is begun with."""
        super().__init__(dims, weight, projection)
        if scale <= 0:
            raise ValueError(f"scale={scale}: more than 0 is needed")
        self.log_scale = nn.Parameter(torch.full((len(self.pairs),), log(scale)))  # (P,)
        self.bias = nn.Parameter(torch.full((len(self.pairs),), bias))  # (P,)

    def loss(self, pair: Pair, batch: Batch) -> Float[Tensor, ""]:
        scale, bias = (p[pair.place].to(pair.x.dtype) for p in (self.log_scale, self.bias))
        return sigmoid_loss(pair.x, pair.y, scale.exp(), bias)


def sigmoid_loss(
    x: Float[Tensor, "n d"], y: Float[Tensor, "n d"], scale: Float[Tensor, ""], bias: Float[Tensor, ""]
) -> Float[Tensor, ""]:
    """
    >>> codes, one, zero = torch.eye(2), torch.tensor(1.0), torch.tensor(0.0)
    >>> round(sigmoid_loss(codes, codes, one, zero).item(), 4)  # log(1 + 1 / e) + log 2
    1.0064
    """
    scores = scale * F.normalize(x, dim=1) @ F.normalize(y, dim=1).T + bias  # (n, n)
    signs = 2 * torch.eye(len(x), dtype=scores.dtype, device=x.device) - 1  # (n, n)
    return F.softplus(-signs * scores).sum() / len(x)
