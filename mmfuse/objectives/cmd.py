"""Central moment discrepancy, by which a feature has the same mean, spread and so on in all modalities.

|E X - E Y| + sum over k = 2..K of |c_k(X) - c_k(Y)|, c_k the vector of the features' k-th central moments, of codes
between 0 and 1, which a sigmoid makes of them, as moments are told apart only of what is bounded (Hazarika et al.,
MISA, 2020, https://arxiv.org/abs/2005.03545). Zellinger et al., 2017, https://arxiv.org/abs/1702.08811. Published code
has NaN for a gradient where two modalities agree, which this has not.

It compares how codes are distributed, and does not know which belong together: it needs no rows that have both, takes
all that have one, and leaves retrieval of one modality by another at chance. Without a projection, which could shrink
to nothing. A modality that fewer than two rows have, of all devices together, has no loss.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from mmfuse.objectives.pairs import Alignment, Pair
from mmfuse.types import Batch


class Cmd(Alignment):
    margins = True

    def __init__(self, dims: Mapping[str, int], moments: int = 5, weight: float = 1.0):
        super().__init__(dims, weight)
        if moments < 1:
            raise ValueError(f"moments={moments}: at least 1 is needed, the mean")
        self.moments = moments

    def loss(self, pair: Pair, batch: Batch) -> Float[Tensor, ""]:
        return discrepancy(pair.x.sigmoid(), pair.y.sigmoid(), self.moments)


def discrepancy(x: Float[Tensor, "n d"], y: Float[Tensor, "k d"], moments: int) -> Float[Tensor, ""]:
    """Of codes between 0 and 1.

    >>> x, y = torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.tensor([[0.5, 0.5], [0.5, 0.5]])
    >>> round(discrepancy(x, y, 3).item(), 4)  # the means agree, variances are 0.25 and 0: sqrt(2) / 4
    0.3536
    """
    means = x.mean(dim=0), y.mean(dim=0)
    differences = [means[0] - means[1]]
    for order in range(2, moments + 1):
        central = [(z - mean).pow(order).mean(dim=0) for z, mean in zip((x, y), means, strict=True)]  # (d,)
        differences.append(central[0] - central[1])
    return torch.stack(differences).norm(dim=1).sum()  # the slope of a norm of 0 is 0
