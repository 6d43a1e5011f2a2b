"""What a lane draws by chance, drawn as its lone run would: a stack of lanes cannot draw within, for each has its dice.

A first pass through each lane notes what is drawn, in order. From then on all of a step is drawn before it, from each
lane's own generator, and handed in. Dropout and uniform numbers are known here; of anything else torch says that it is
random, and the lanes are not stacked.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class Draw(NamedTuple):
    shape: tuple[int, ...]
    rate: float | None  # of dropout; None: uniform numbers


class Noted(TorchFunctionMode):
    """Within, what is drawn is noted, and drawn as ever."""

    def __init__(self) -> None:
        super().__init__()
        self.draws = list[Draw]()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        said = func(*args, **kwargs)
        if func is F.dropout and is_training(args, kwargs):
            self.draws.append(Draw(tuple(said.shape), float(rate_of(args, kwargs))))
        elif func is torch.rand:
            self.draws.append(Draw(tuple(said.shape), None))
        return said


class Given(TorchFunctionMode):
    """Within, what was drawn before is taken, one after another."""

    def __init__(self, drawn: Sequence[Tensor]):
        super().__init__()
        self.drawn: Iterator[Tensor] = iter(drawn)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.dropout:  # whose rate may be a tensor, which torch's own would not take
            data = args[0] if args else kwargs["input"]
            return data * next(self.drawn) if is_training(args, kwargs) else data
        if func is torch.rand:
            return next(self.drawn)
        return func(*args, **kwargs)


def rate_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[1] if len(args) > 1 else kwargs.get("p", 0.5)


def is_training(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return bool(args[2] if len(args) > 2 else kwargs.get("training", True))


def drawn(draws: Sequence[Draw], chance: torch.Generator) -> list[Tensor]:
    """What torch's own dropout would draw from there, as what to multiply with: 0, or 1 / (1 - rate)."""
    found = []
    for shape, rate in draws:
        if rate is None:
            found.append(torch.rand(shape, generator=chance))
        elif rate == 0:  # torch draws nothing then
            found.append(torch.ones(shape))
        else:
            found.append(torch.empty(shape).bernoulli_(1 - rate, generator=chance).div_(1 - rate))
    return found
