"""From one modality's code to another's: a linear map, or one with a hidden layer."""

from jaxtyping import Float
from torch import Tensor, nn

from mmfuse.objectives.pairs import precise
from mmfuse.types import Signal


class Translator(nn.Sequential):
    def __init__(self, dim: int, to: int, hidden: int | None):
        if hidden is None:
            super().__init__(nn.Linear(dim, to))
        else:
            super().__init__(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, to))


def both(one: Signal, other: Signal) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n e"]]:
    """The codes of the rows that have both."""
    rows = one.present & other.present  # (B,)
    return one.pooled()[rows], other.pooled()[rows]


def error(said: Float[Tensor, "n d"], target: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """The mean square over rows and features; 0 where there are no rows.

    >>> import torch
    >>> error(torch.ones(2, 3), torch.zeros(2, 3)).item(), error(torch.ones(0, 3), torch.ones(0, 3)).item()
    (1.0, 0.0)
    """
    return (precise(said) - precise(target)).square().sum() / max(said.numel(), 1)
