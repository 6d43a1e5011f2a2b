"""What of a tensor is real: zeros, or another number that says nothing, stand where a mask is False.

Most batches hide nothing, and to ask takes a sixth of what a copy and its gradient take, on a CPU. Elsewhere the answer
would have to be waited for; nor can it be had where a model is traced, or runs for many models at once (`vmap`).
"""

import torch
from jaxtyping import Bool
from torch import Tensor


def shown(data: Tensor, mask: Bool[Tensor, "*n"], nothing: float = 0.0) -> Tensor:
    """`mask` goes over `data` as torch broadcasts; what comes out may be `data` itself.

    >>> shown(torch.tensor([1.0, float("nan")]), torch.tensor([True, False]))
    tensor([1., 0.])
    """
    return data if hides_nothing(mask) else torch.where(mask, data, nothing)  # quicker than masked_fill


def hides_nothing(mask: Bool[Tensor, "*n"]) -> bool:
    """False also where it cannot be told."""
    if mask.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    try:
        return bool(mask.all())
    except RuntimeError:  # under vmap each of many models has an answer of its own
        return False
