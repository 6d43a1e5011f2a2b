"""Weights drawn anew at each step, a softmax of normal numbers times their count: what every method has to beat.

w = K softmax(z), z ~ N(0, 1), of the K losses that there are at a step (Lin et al., Reasonable Effectiveness of Random
Weighting, TMLR 2022, https://arxiv.org/abs/2111.10603, where the factor K is left to the learning rate).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from mmfuse.balance.chosen import chosen, weighed
from mmfuse.types import Balancer, Step


class Random(Balancer):
    def __init__(self, losses: Sequence[str], of: Sequence[str] = ("task/*",)):
        """`losses` are the names of those that there will be, `of` patterns of those to weigh; others count 1."""
        super().__init__()
        self.names = chosen(losses, of)

    def forward(self, step: Step) -> Tensor:
        these = weighed(step.losses, self.names)
        return these.total(drawn(these.losses))


def drawn(losses: Float[Tensor, " K"]) -> Float[Tensor, " K"]:
    """
    >>> weights = drawn(torch.tensor([3.0, 0.2, 1.0]))
    >>> bool((weights > 0).all()), round(float(weights.sum()), 4)
    (True, 3.0)
    """
    return len(losses) * torch.randn_like(losses).softmax(dim=0)
