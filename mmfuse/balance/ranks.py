"""What all ranks of a distributed training have found, as one. Values are as they are where there is one rank."""

import torch
from torch import Tensor, distributed


@torch.no_grad()
def total_over_ranks(values: Tensor) -> Tensor:
    if not (distributed.is_available() and distributed.is_initialized()):
        return values
    total = values.clone()
    distributed.all_reduce(total)
    return total


def mean_over_ranks(values: Tensor) -> Tensor:
    there = distributed.is_available() and distributed.is_initialized()
    return total_over_ranks(values) / (distributed.get_world_size() if there else 1)
