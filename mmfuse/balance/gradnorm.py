"""Weights are learned so that losses pull with like strength on what they share, and those that lag pull harder.

G_i = |grad w_i L_i| at the shared part; its target is mean(G) (l_i / mean(l))^alpha, l_i = L_i / L_i at the first step.
The weights learn by the gradient of sum |G_i - target_i|, targets held, which is +-|grad L_i|, and are scaled to the
sum K before each step (Chen et al., GradNorm, ICML 2018, https://arxiv.org/abs/1711.02257, Algorithm 1). Alpha is 1.5
there for tasks unlike each other, 0.12 for like ones. A task without a label in a batch is left out of the means, and
its weight stays. Weights that an update would make 0 or less are set to 0.001, of which the paper says nothing.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse.balance.chosen import chosen, weighed
from mmfuse.balance.gradients import flat, gradients
from mmfuse.balance.ranks import mean_over_ranks
from mmfuse.errors import ConfigError
from mmfuse.types import Balancer, Step

LEAST = 1e-3


class GradNorm(Balancer):
    surgery = True
    first: Tensor

    def __init__(
        self,
        losses: Sequence[str],
        at: str = "fusion",
        alpha: float = 1.5,
        lr: float | None = 0.025,
        of: Sequence[str] = ("task/*",),
    ):
        """`at` is the part whose gradients are measured, `lr` the weights' own rate; None for the optimizer's."""
        super().__init__()
        self.names = chosen(losses, of)
        self.at, self.alpha, self.lr = at, alpha, lr
        self.weights = nn.Parameter(torch.ones(len(self.names)))
        self.register_buffer("first", torch.full((len(self.names),), torch.nan))  # of each loss, its first value

    def forward(self, step: Step) -> Tensor:
        these = weighed(step.losses, self.names)
        if not these.each:
            return these.rest
        with torch.no_grad():
            kept = self.weights.clamp(min=LEAST)
            self.weights.copy_(kept * len(kept) / kept.sum())
            slopes = self.slopes(step, these.each, these.places)
        weights = self.weights[these.places]
        return these.total(weights.detach()) + (weights * slopes).sum()

    def slopes(self, step: Step, losses: list[Tensor], places: list[int]) -> Float[Tensor, " K"]:
        if self.at not in step.parts:
            raise ConfigError(
                f"balance.at={self.at}: gradients are measured at a part that learns\n  there are: "
                + ", ".join(name for name in step.parts if name != "balance")
            )
        shared = step.parts[self.at]
        norms = mean_over_ranks(flat(gradients(losses, shared), shared)).norm(dim=1)
        now = mean_over_ranks(torch.stack(losses).detach())
        told, first = now != 0, self.first[places]
        self.first[places] = first = now.where(first.isnan() & told, first)
        return pulls(self.weights[places], norms, now / first, told, self.alpha).slopes


class Pulls(NamedTuple):
    targets: Float[Tensor, " K"]
    slopes: Float[Tensor, " K"]  # of the weights


def pulls(
    weights: Float[Tensor, " K"],
    norms: Float[Tensor, " K"],
    left: Float[Tensor, " K"],
    told: Bool[Tensor, " K"],
    alpha: float,
) -> Pulls:
    """`norms` are of the unweighed losses' gradients; `left` is the share of each first loss that is still there.

    >>> weights, norms, left = torch.tensor([1.4, 0.6]), torch.tensor([2.0, 0.5]), torch.tensor([0.75, 0.875])
    >>> pulls(weights, norms, left, torch.tensor([True, True]), alpha=1.5)
    Pulls(targets=tensor([1.3746, 1.7322]), slopes=tensor([ 2.0000, -0.5000]))
    """
    count = told.sum().clamp(min=1)
    left = left.where(told, 0.0)
    strengths = (weights * norms).where(told, 0.0)
    rates = left / (left.sum() / count).clamp(min=torch.finfo(left.dtype).tiny)
    targets = strengths.sum() / count * rates**alpha
    return Pulls(targets, ((strengths - targets).sign() * norms).where(told, 0.0))
