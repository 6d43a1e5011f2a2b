"""Variance, invariance and covariance (VICReg), where codes of a row agree and may not collapse.

25 times the mean of (x - y)^2, over rows and features; 25 times the mean over features of max(0, 1 - sqrt(var + 1e-4)),
half of each modality's; and 1 times, of both modalities, the sum of cov_ij^2 for i and j that differ, divided by the
number of features; var and cov over n - 1. Bardes, Ponce and LeCun, VICReg, ICLR 2022, https://arxiv.org/abs/2105.04906.
The factors belong to the authors' code, which takes means over features where the paper's first equation has a sum, and
half of each variance term where it has the whole; so does this.

It counts the rows that have both modalities, of all devices together; fewer than two of them are no loss.
"""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from mmfuse.objectives.pairs import Alignment, Pair
from mmfuse.types import Batch


class Vicreg(Alignment):
    def __init__(
        self,
        dims: Mapping[str, int],
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
        projection: int | None = None,
        weight: float = 1.0,
    ):
        super().__init__(dims, weight, projection)
        self.factors = {"invariance": invariance, "variance": variance, "covariance": covariance}
        if low := [f"{name}={factor}" for name, factor in self.factors.items() if factor < 0]:
            raise ValueError(f"{', '.join(low)}: at least 0 is needed")

    def loss(self, pair: Pair, batch: Batch) -> Float[Tensor, ""]:
        agree = self.factors["invariance"] * (pair.x - pair.y).square().mean()
        spread = self.factors["variance"] * (narrow(pair.x) + narrow(pair.y)) / 2
        return agree + spread + self.factors["covariance"] * (redundant(pair.x) + redundant(pair.y))


def narrow(x: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """How far features are from a standard deviation of 1: of 0 and 2, the mean of 0.99 and 0.

    >>> import torch
    >>> round(narrow(torch.tensor([[3.0, -2.0**0.5], [3.0, 2.0**0.5]])).item(), 4)
    0.495
    """
    return (1 - (x.var(dim=0) + 1e-4).sqrt()).relu().mean()


def redundant(x: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """
    >>> import torch
    >>> redundant(torch.tensor([[1.0, 1.0], [-1.0, -1.0]])).item()  # of covariance 2: (4 + 4) / 2
    4.0
    """
    rest = x - x.mean(dim=0)
    squares = (rest.T @ rest / (len(x) - 1)).square()  # (d, d)
    return (squares.sum() - squares.diagonal().sum()) / x.shape[1]
