"""The product of decisions: Bayes' rule, where modalities are independent once the class is known.

p ~ product of p_m / prior^(n - 1) over the n modalities present, in logarithms: each p_m has the prior in it, and it is
to count once. The product rule (Kittler et al., On Combining Classifiers, 1998, https://doi.org/10.1109/34.667881).
For model=late and one class of several. An absent modality is left out.
Parameters: none.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mmfuse.fusion.decision import Rule


class ProductFusion(Rule):
    prior: Float[Tensor, " C"]

    def __init__(self, dims: dict[str, int], prior: Sequence[float] | None = None):
        super().__init__(dims)
        self.even = prior is None
        shares = [1.0] * self.dim if prior is None else list(prior)
        if len(shares) != self.dim or min(shares) <= 0:
            raise ValueError(f"prior={shares}: a share above 0 is needed for each of {self.dim} classes")
        self.register_buffer("prior", torch.tensor(shares))

    def decide(self, logs: Float[Tensor, "B M C"], present: Bool[Tensor, "B M"]) -> Float[Tensor, "B C"]:
        product = torch.where(present.unsqueeze(-1), logs, 0.0).sum(dim=1)  # (B, C)
        if self.even:  # the prior would take the same from every class
            return product.log_softmax(dim=1)
        extra = present.sum(dim=1, keepdim=True).sub(1)  # (B, 1)
        return (product - extra * self.prior.log()).log_softmax(dim=1)
