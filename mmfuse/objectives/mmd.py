"""Maximum mean discrepancy (MMD), by which the codes of all modalities are one cloud.

The mean of k(x, x') + that of k(y, y') - twice that of k(x, y), k the sum of Gaussian kernels exp(-|a - b|^2 / (f m)),
m the median squared distance between any two codes of both, which is not learned from, and f several factors. Gretton
et al., A Kernel Two-Sample Test, JMLR 2012, https://jmlr.org/papers/v13/gretton12a.html; several kernels as Long et
al., 2015, https://arxiv.org/abs/1502.02791. The biased estimate is 0 at least and counts each code's likeness to
itself; the unbiased one leaves it out, and may be less than 0.

It compares how codes are distributed, and does not know which belong together: it needs no rows that have both, takes
all that have one, and leaves retrieval of one modality by another at chance. Without a projection, which could shrink
to nothing. A modality that fewer than two rows have, of all devices together, has no loss.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from mmfuse.objectives.pairs import Alignment, Pair
from mmfuse.types import Batch

LEAST = 1e-6  # squared distance, where most codes are the same


class Mmd(Alignment):
    margins = True

    def __init__(
        self,
        dims: Mapping[str, int],
        factors: Sequence[float] = (0.25, 0.5, 1.0, 2.0, 4.0),
        unbiased: bool = False,
        weight: float = 1.0,
    ):
        super().__init__(dims, weight)
        if not factors or min(factors) <= 0:
            raise ValueError(f"factors={list(factors)}: one kernel or more is needed, each with a factor above 0")
        self.factors, self.unbiased = tuple(factors), unbiased

    def loss(self, pair: Pair, batch: Batch) -> Float[Tensor, ""]:
        return discrepancy(pair.x, pair.y, self.factors, self.unbiased)


def discrepancy(
    x: Float[Tensor, "n d"], y: Float[Tensor, "k d"], factors: Sequence[float], unbiased: bool = False
) -> Float[Tensor, ""]:
    """
    >>> x, y = torch.tensor([[0.0], [0.0]]), torch.tensor([[1.0], [1.0]])
    >>> round(discrepancy(x, y, [1.0]).item(), 4)  # 1 + 1 - 2 / e, the median being 1
    1.2642
    """
    both = torch.cat([x, y])
    both = both - both.mean(dim=0).detach()  # (n + k, d): the same distances, of smaller numbers
    squares = both.square().sum(dim=1)
    distances = (squares[:, None] + squares - 2 * both @ both.T).clamp(min=0)  # (n + k, n + k), squared
    others = ~torch.eye(len(both), dtype=torch.bool, device=x.device)
    median = distances.detach()[others].median().clamp(min=LEAST)
    kernel = torch.stack([(-distances / (factor * median)).exp() for factor in factors]).sum(dim=0)
    counts = others if unbiased else torch.ones_like(others)
    n, parts = len(x), kernel.masked_fill(~counts, 0.0)
    within = [parts[:n, :n].sum() / counts[:n, :n].sum(), parts[n:, n:].sum() / counts[n:, n:].sum()]
    return within[0] + within[1] - 2 * kernel[:n, n:].mean()
