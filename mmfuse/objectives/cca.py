"""Deep canonical correlation analysis, where every direction of a code is found again in the other's.

-|S_xx^-1/2 S_xy S_yy^-1/2|_*, the sum of the singular values, which are the canonical correlations: from -D, where one
code can be computed from the other, to 0, where no direction of one is correlated with any of the other. S are
covariances over n - 1, with a ridge r = 1e-3 on those of one modality. Andrew et al., ICML 2013,
https://proceedings.mlr.press/v28/andrew13.html. Published code often takes the square root of each element of T'T for
the sum of singular values, which it is not; this is the nuclear norm. The covariances are divided out by their Cholesky
factors, which has the same singular values and, unlike inverse roots by eigenvectors, a gradient where variances are
equal; in float64, which covariances of large codes need, and which is not to be had on every accelerator.

Codes are alike up to an invertible linear map of each, no further: heads that are taught by one modality cannot be
asked of another without that map. Each batch has its own covariances; with less than 5 x D rows they correlate by
chance, and it warns, once.
It counts the rows that have both modalities, of all devices together; fewer than two of them are no loss.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from mmfuse.objectives.pairs import Alignment, Pair
from mmfuse.types import Batch

ENOUGH = 5  # rows for each feature


class Cca(Alignment):
    def __init__(
        self, dims: Mapping[str, int], ridge: float = 1e-3, projection: int | None = None, weight: float = 1.0
    ):
        super().__init__(dims, weight, projection)
        if ridge <= 0:
            raise ValueError(f"ridge={ridge}: more than 0 is needed")
        self.ridge = ridge

    def advice(self, batch_size: int) -> str:
        wanted = ENOUGH * self.width
        if batch_size >= wanted:
            return ""
        return (
            f"a batch of {batch_size} rows has codes of width {self.width} correlated by chance"
            f"\n  to go on: batch_size={wanted} or more, or a smaller projection, such as"
            f" objectives.cca.projection={max(1, batch_size // ENOUGH)}"
        )

    def loss(self, pair: Pair, batch: Batch) -> Float[Tensor, ""]:
        return -correlation(pair.x, pair.y, self.ridge)


def correlation(x: Float[Tensor, "n d"], y: Float[Tensor, "n d"], ridge: float) -> Float[Tensor, ""]:
    """The sum of the canonical correlations.

    >>> x = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> round(correlation(x, x @ torch.tensor([[1.0, 2.0], [0.0, 1.0]]), 1e-6).item(), 4)
    2.0
    """
    a, b = (z.double() - z.double().mean(dim=0) for z in (x, y))  # (n, d)
    within = [z.T @ z / (len(z) - 1) + ridge * torch.eye(z.shape[1], dtype=z.dtype, device=z.device) for z in (a, b)]
    left, right = (torch.linalg.cholesky(s) for s in within)  # (d, d)
    between = torch.linalg.solve_triangular(left, a.T @ b / (len(a) - 1), upper=False)
    between = torch.linalg.solve_triangular(right, between.T, upper=False)  # (d, d)
    return torch.linalg.svdvals(between).sum().to(x.dtype)
