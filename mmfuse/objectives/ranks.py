"""The rows of all ranks as one batch, for losses that compare rows with each other."""

import torch
from torch import Tensor, distributed


def joined(x: Tensor) -> Tensor:
    """(n, ...) of each rank -> (N, ...), rank after rank; of one dtype and width, but as many rows as each has.

    What is made of it has the gradient that one process would have: every rank makes the same loss of all rows and
    passes back what its own rows have to learn, times the number of ranks, by which DDP will divide. All
    ranks take the same steps, where they train and where they validate.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return x
    ranks, rank = distributed.get_world_size(), distributed.get_rank()
    rows = [torch.zeros(1, dtype=torch.long, device=x.device) for _ in range(ranks)]
    distributed.all_gather(rows, torch.tensor([len(x)], device=x.device))
    lengths = [int(n) for n in rows]
    padded = x.new_zeros(max(lengths), *x.shape[1:])
    padded[: len(x)] = x.detach()
    parts = [torch.empty_like(padded) for _ in range(ranks)]
    distributed.all_gather(parts, padded)
    own = x.view_as(x)
    if own.requires_grad:
        own.register_hook(lambda gradient: gradient * ranks)
    return torch.cat([own if r == rank else part[:n] for r, (part, n) in enumerate(zip(parts, lengths, strict=True))])
