"""Where a step stands, as waves of many lengths: sin and cos of t / 10000^(2i / D).

Vaswani et al., Attention Is All You Need, 2017, https://arxiv.org/abs/1706.03762. For sequences of any length, with
nothing to learn.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def sinusoids(steps: int, dim: int, device: torch.device | None = None) -> Float[Tensor, "T D"]:
    """The sines in the even places, the cosines in the odd ones."""
    rates = torch.exp(torch.arange(0, dim, 2, device=device) * (-math.log(10000.0) / dim))  # (ceil(D / 2),)
    angles = torch.arange(steps, device=device)[:, None] * rates  # (T, ceil(D / 2))
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :dim]
