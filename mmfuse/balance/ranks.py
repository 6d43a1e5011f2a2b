"""Over the processes that train together. Where one trains alone, it is all of them."""

import torch.distributed as dist
from torch import Tensor


def total(x: Tensor) -> Tensor:
    if not (dist.is_available() and dist.is_initialized()):
        return x
    x = x.clone()
    dist.all_reduce(x)
    return x


def mean(x: Tensor) -> Tensor:
    ranks = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
    return total(x) / ranks
