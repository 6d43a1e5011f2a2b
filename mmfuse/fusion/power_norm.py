"""Power normalization, then length 1: what sums of products go through, whose sizes differ by orders of magnitude."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def power_norm(z: Float[Tensor, "*n D"]) -> Float[Tensor, "*n D"]:
    """Each entry's signed root, over the length of the last axis; in float32 at least.

    1e-12 under the root bounds the derivative near 0; at 0, where a root has none, it is 0. Zeros stay zeros.
    """
    wide = z.to(torch.promote_types(z.dtype, torch.float32))
    return F.normalize(wide.sign() * (wide.abs() + 1e-12).sqrt(), dim=-1).to(z.dtype)
