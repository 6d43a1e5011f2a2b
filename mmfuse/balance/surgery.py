"""Steps made of the losses' gradients by how these lie to each other.

Where several losses reach a parameter, the step is a combination of their gradients whose coefficients are a function
of the gradients' inner products alone. Where only one does, as in a task's head, its gradient stays as it is. Clipping
comes after. On several ranks each loss's gradient is averaged first.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmfuse.balance.chosen import chosen, weighed
from mmfuse.balance.gradients import Gradients, flat, gradients
from mmfuse.balance.ranks import mean_over_ranks
from mmfuse.types import Balancer, Step


class Surgery(Balancer):
    surgery = True

    def __init__(self, losses: Sequence[str], of: Sequence[str]):
        super().__init__()
        self.names = chosen(losses, of)

    @abstractmethod
    def coefficients(self, products: np.ndarray) -> np.ndarray:
        """(K, K) inner products of the gradients -> (K,): how much of each makes the step. All 1 is the plain sum."""

    def forward(self, step: Step) -> Tensor:
        these = weighed(step.losses, self.names)
        if not these.each:
            return these.rest
        parameters = list(dict.fromkeys(p for part in step.parts.values() for p in part))
        found = gradients(these.each, parameters)
        losses = reached_by(found, these.rest.device)
        total = these.rest
        with torch.autocast(these.rest.device.type, enabled=False):
            for several in (True, False):
                places = [k for k, count in enumerate(losses) if count and (count > 1) == several]
                if places:
                    where = [parameters[k] for k in places]
                    each = mean_over_ranks(flat([[row[k] for k in places] for row in found], where))  # (K, P)
                    total = total + towards(self.combined(each) if several else each.sum(dim=0), where)
        return total

    def combined(self, each: Float[Tensor, "K P"]) -> Float[Tensor, " P"]:
        products = (each.float() @ each.float().T).double().cpu().numpy()
        if not np.isfinite(products).all():
            return each.sum(dim=0)  # which is for the learner to report
        return each.new_tensor(self.coefficients(products)) @ each


def reached_by(found: Gradients, device: torch.device) -> list[int]:
    """How many losses reach each parameter, on any rank: a loss may have labels on one alone."""
    reaches = torch.tensor([[float(g is not None) for g in row] for row in found], device=device)  # (K, parameters)
    return (mean_over_ranks(reaches) > 0).sum(dim=0).tolist()


def towards(gradient: Float[Tensor, " P"], parameters: Sequence[nn.Parameter]) -> Float[Tensor, ""]:
    """A number whose gradient is this one.

    >>> p = nn.Parameter(torch.zeros(2))
    >>> towards(torch.tensor([3.0, -1.0]), [p]).backward()
    >>> p.grad
    tensor([ 3., -1.])
    """
    return Towards.apply(gradient, *parameters)


class Towards(torch.autograd.Function):
    """As sum of p g(p) is, in half its time. It is finite where the gradient is."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, *parameters: Tensor) -> Tensor:
        sizes = [p.numel() for p in parameters]
        ctx.each = [g.view_as(p) for g, p in zip(gradient.split(sizes), parameters, strict=True)]
        return gradient.sum()

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        return None, *(g * upstream[0] for g in ctx.each)
