"""MMPareto finds, for each encoder, a step that serves both the joint loss and its modality's own.

g is the gradient of the joint loss with respect to encoder m, u that of what m gets wrong by itself. Where they agree,
the step is gamma (g + u). Where they conflict, it is gamma 2 (w g + (1 - w) u) with the w that makes it shortest, so
that it goes against neither, stretched to the length of g + u where it is shorter. Fusion and heads learn from the sum
of all losses. Wei and Hu, MMPareto: Boosting Multimodal Learning with Innocent Unimodal Assistance, ICML 2024,
https://arxiv.org/abs/2405.17730; gamma is theirs.

The length is that of the whole encoder's step; the authors' code measures each parameter's by itself. Gradients that
are exactly opposed leave nothing to stretch, and the step is 0. The joint loss is the sum of all that are no modality's
own. In a late model, the heads that a modality has for itself go with its encoder. An encoder whose modality is absent
from all rows of a batch has two gradients of 0. Costs two backward passes for the one of a plain sum.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmfuse.balance.ranks import mean_over_ranks
from mmfuse.types import Balancer, Step


class MMPareto(Balancer):
    surgery = True

    def __init__(self, losses: Sequence[str], gamma: float = 1.5):
        super().__init__()
        if gamma <= 0:
            raise ValueError(f"gamma={gamma}: a number above 0 is needed")
        if not any(name.startswith("unimodal/") for name in losses):
            raise ValueError(
                "mmpareto reconciles the joint loss with what each modality gets wrong by itself, and there is no such"
                " loss\n  to go on: objectives=[unimodal]"
            )
        self.gamma = gamma

    def forward(self, step: Step) -> Tensor:
        parameters = [p for part in step.parts.values() for p in part]
        own = [loss for name, loss in step.losses.items() if name.startswith("unimodal/")]
        shared = [loss for name, loss in step.losses.items() if not name.startswith("unimodal/")]
        joint, alone = gradients(shared, parameters), gradients(own, parameters)
        taken = []
        for part, ps in step.parts.items():
            g, u = (torch.cat([by[p].flatten() for p in ps]) for by in (joint, alone))
            own_part = part in step.outputs.encoded  # only its own modality's losses reach it
            found = reconciled(mean_over_ranks(g), mean_over_ranks(u), self.gamma) if own_part else g + u
            taken.append(torch.cat([p.flatten() for p in ps]) @ found)
        return torch.stack(taken).sum()


def gradients(losses: Sequence[Tensor], parameters: Sequence[nn.Parameter]) -> dict[nn.Parameter, Tensor]:
    """Of the sum of the losses; zeros where they do not reach."""
    learned = [loss for loss in losses if loss.requires_grad]
    if not learned:
        return {p: torch.zeros_like(p) for p in parameters}
    total = torch.stack(learned).sum()
    found = torch.autograd.grad(total, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
    return dict(zip(parameters, found, strict=True))


def reconciled(g: Float[Tensor, " p"], u: Float[Tensor, " p"], gamma: float = 1.5) -> Float[Tensor, " p"]:
    """
    >>> reconciled(torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1.0]), gamma=1.0)  # they agree: the sum
    tensor([2., 1.])
    >>> reconciled(torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 1.0]), gamma=1.0)  # .6 and .4, stretched to length 1
    tensor([0.4472, 0.8944])
    """
    tiny = torch.finfo(g.dtype).tiny
    dot, both = g @ u, g + u
    share = torch.where(dot < 0, (u.square().sum() - dot) / (g - u).square().sum().clamp(min=tiny), 0.5)
    step = 2 * (share * g + (1 - share) * u)
    stretch = both.norm() / step.norm().clamp(min=tiny)
    left = step.norm() > 1e-6 * (g.norm() + u.norm())  # the rest is rounding
    return gamma * step * torch.where(left, stretch.clamp(min=1), 1.0)
