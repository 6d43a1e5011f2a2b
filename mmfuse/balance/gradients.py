"""Each loss's own gradient, apart from the others'."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

Gradients = list[list[Tensor | None]]  # by loss, by parameter: None where the loss does not reach it


def gradients(losses: Sequence[Tensor], parameters: Sequence[nn.Parameter]) -> Gradients:
    """A backward pass for each loss. Nothing is added to the parameters' own gradients."""
    return [
        list(torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True))
        if loss.requires_grad
        else [None] * len(parameters)
        for loss in losses
    ]


def flat(found: Gradients, parameters: Sequence[nn.Parameter]) -> Float[Tensor, "K P"]:
    """All parameters' one after another, zeros where a loss does not reach one."""
    each = [
        (torch.zeros_like(p) if g is None else g).flatten()
        for row in found
        for g, p in zip(row, parameters, strict=True)
    ]
    return torch.cat(each).view(len(found), -1)
