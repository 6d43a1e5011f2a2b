"""A loss that has fallen less in the last epoch than others have counts more: dynamic weight averaging.

w = K softmax(r / T), r = L(e-1) / L(e-2) of each loss's mean over an epoch, and all 1 in the first two epochs (Liu,
Johns and Davison, End-to-End Multi-Task Learning with Attention, CVPR 2019, https://arxiv.org/abs/1803.10704). A loss
that is missing from an epoch has r = 1.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from mmfuse.balance.chosen import chosen, weighed
from mmfuse.balance.ranks import mean_over_ranks
from mmfuse.types import Balancer, Step


class DWA(Balancer):
    means: Tensor  # (2, K), of the epoch before the last and of the last

    def __init__(self, losses: Sequence[str], temperature: float = 2.0, of: Sequence[str] = ("task/*",)):
        """`losses` are the names of those that there will be, `of` patterns of those to weigh; others count 1."""
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"temperature={temperature}: more than 0 is needed")
        self.names, self.temperature = chosen(losses, of), temperature
        self.register_buffer("means", torch.full((2, len(self.names)), torch.nan))

    def forward(self, step: Step) -> Tensor:
        these = weighed(step.losses, self.names)
        return these.total(by_descent(self.means[1] / self.means[0], self.temperature)[these.places])

    def end_epoch(self, epoch: int, train: Mapping[str, float], val: Mapping[str, float]) -> None:
        last = mean_over_ranks(self.means.new_tensor([train.get(name, torch.nan) for name in self.names]))
        self.means = torch.stack([self.means[1], last])


def by_descent(ratios: Float[Tensor, " K"], temperature: float) -> Float[Tensor, " K"]:
    """
    >>> by_descent(torch.tensor([0.8, 1.25]), temperature=2.0)
    tensor([0.8880, 1.1120])
    """
    known = ratios.where(ratios.isfinite(), 1.0)
    return len(ratios) * (known / temperature).softmax(dim=0)
