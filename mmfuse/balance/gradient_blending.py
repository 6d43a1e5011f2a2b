"""Gradient blending trusts the joint loss and each modality's own as far as what they teach generalises.

Between two epochs, G is by how much a loss fell on the validation rows, and O by how much the gap between validation
and training rows grew. Each loss counts by w ~ G / O^2, and the w sum to 1. Wang et al., What Makes Training
Multi-modal Classification Networks Hard?, CVPR 2020, https://arxiv.org/abs/1905.12681.

The paper measures G and O on copies of the model, each trained on one loss for some epochs, and on rows held out of the
training rows. Here the run itself is measured, every `every` epochs, by the losses that it has anyway: that costs
nothing, but what a modality does by itself is then read off encoders that learn from all losses at once.

G / O^2 goes to whatever does not move: a modality of zeros hardly gains, and never overfits. So an O counts as at least
`floor` times the largest G; 0 is the paper's formula. A loss that rose on the validation rows counts 0, and where all
of them did, weights stay. Other losses than these count 1.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from mmfuse.balance.ranks import mean_over_ranks
from mmfuse.types import Balancer, Step, Task


class GradientBlending(Balancer):
    weights: Tensor  # (1 + M,) of the joint loss and each modality's own
    before: Tensor  # (2, 1 + M) the training and validation losses when it last looked; NaN until it did
    since: Tensor  # the epoch of that

    def __init__(
        self,
        losses: Sequence[str],
        modalities: Sequence[str],
        tasks: Mapping[str, Task],
        every: int = 3,
        floor: float = 0.1,
    ):
        super().__init__()
        if every < 1 or floor < 0:
            raise ValueError(f"every={every}, floor={floor}: at least 1 and at least 0 are needed")
        self.every, self.floor = every, floor
        alone = [[name for t in tasks if (name := f"unimodal/{m}-{t}") in losses] for m in modalities]
        if not all(alone):
            raise ValueError(
                "gradient_blending weighs the joint loss against what each modality gets wrong by itself, and there is"
                " no such loss\n  to go on: objectives=[unimodal]"
            )
        self.groups = [[name for name in losses if name.startswith("task/")], *alone]
        self.register_buffer("weights", torch.full((len(self.groups),), 1 / len(self.groups)))
        self.register_buffer("before", torch.full((2, len(self.groups)), torch.nan))
        self.register_buffer("since", torch.tensor(-1))

    def forward(self, step: Step) -> Tensor:
        weights = {name: w for group, w in zip(self.groups, self.weights, strict=True) for name in group}
        return torch.stack([weights.get(name, 1.0) * loss for name, loss in step.losses.items()]).sum()

    def end_epoch(self, epoch: int, train: Mapping[str, float], val: Mapping[str, float]) -> None:
        if not all(name in train and name in val for group in self.groups for name in group):
            return  # a phase without some of them, or an epoch without validation
        sums = [[sum(means[name] for name in group) for group in self.groups] for means in (train, val)]
        now = mean_over_ranks(torch.tensor(sums, device=self.weights.device))
        if self.since >= 0 and epoch - self.since < self.every:
            return
        if self.since >= 0:
            self.weights.copy_(blended(self.before, now, self.weights, self.floor))
        self.before.copy_(now)
        self.since.fill_(epoch)


def blended(
    before: Float[Tensor, "2 n"], now: Float[Tensor, "2 n"], weights: Float[Tensor, " n"], floor: float = 0.0
) -> Float[Tensor, " n"]:
    """The weights of n losses by their means over training and validation rows, then and now.

    >>> before, weights = torch.tensor([[2.0, 2.0], [2.0, 2.0]]), torch.tensor([0.5, 0.5])
    >>> blended(before, torch.tensor([[0.5, 1.0], [1.0, 1.5]]), weights)  # G = 1, .5; O = .5, .5
    tensor([0.6667, 0.3333])
    """
    gained = (before[1] - now[1]).clamp(min=0)
    overfit = ((now[1] - now[0]) - (before[1] - before[0])).abs()
    trust = gained / overfit.clamp(min=max(floor * float(gained.max()), 1e-6)).square()
    return trust / trust.sum() if trust.sum() > 0 else weights
