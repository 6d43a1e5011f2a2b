"""What all ranks of a distributed training have found, as one."""

import torch
from torch import Tensor, distributed


@torch.no_grad()
def mean_over_ranks(values: Tensor) -> Tensor:
    """The same values on every rank; as they are where there is one."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return values
    total = values.clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()
