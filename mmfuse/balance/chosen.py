"""Which losses a balancer weighs: those whose names match its patterns. All others count 1."""

from collections.abc import Sequence
from fnmatch import fnmatch
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mmfuse.types import Losses


class Weighed(NamedTuple):
    """The losses of a step, K of them to be weighed. Some that are known beforehand may be missing at a step."""

    places: list[int]  # of the K among all names
    each: list[Tensor]
    rest: Float[Tensor, ""]  # the sum of all others

    @property
    def losses(self) -> Float[Tensor, " K"]:
        return torch.stack(self.each) if self.each else self.rest.new_zeros(0)

    @property
    def told(self) -> Bool[Tensor, " K"]:
        """False where no row had a label: such a loss is exactly 0, and says nothing of its task."""
        return self.losses.detach() != 0

    def total(self, weights: Float[Tensor, " K"]) -> Float[Tensor, ""]:
        return (weights * self.losses).sum() + self.rest


def chosen(losses: Sequence[str], of: Sequence[str]) -> tuple[str, ...]:
    """
    >>> chosen(["task/digit", "task/parity", "align/audio-text"], ["task/*"])
    ('task/digit', 'task/parity')
    """
    if strays := [pattern for pattern in of if not any(fnmatch(name, pattern) for name in losses)]:
        raise ValueError(f"of={list(of)}: there is no loss {strays}; there are {list(losses)}")
    if not of:
        raise ValueError(f"of=[]: nothing would be weighed; there are {list(losses)}")
    return tuple(name for name in losses if any(fnmatch(name, pattern) for pattern in of))


def weighed(losses: Losses, names: Sequence[str]) -> Weighed:
    here = [name for name in names if name in losses]
    others = [loss for name, loss in losses.items() if name not in here]
    nothing = next(iter(losses.values())).new_zeros(())
    rest = torch.stack(others).sum() if others else nothing
    return Weighed([names.index(name) for name in here], [losses[name] for name in here], rest)
