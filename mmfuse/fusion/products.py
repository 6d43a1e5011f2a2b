"""Every feature of one vector times every feature of another."""

import torch
from jaxtyping import Float
from torch import Tensor


def outer(left: Float[Tensor, "B I"], right: Float[Tensor, "B J"]) -> Float[Tensor, "B IJ"]:
    """Row-major: left_1 right_1, left_1 right_2, ...; as matrix products, whose slopes are such, too, and quicker."""
    return torch.bmm(left.unsqueeze(2), right.unsqueeze(1)).flatten(1)
