"""Learning rates as a function of the step, without state: a resumed run has the rates of one that was not stopped."""

from collections.abc import Mapping
from math import cos, inf, pi
from typing import Literal, NamedTuple

import torch

Decay = Literal["constant", "linear", "cosine", "exponential"]


class Rates(NamedTuple):
    """A rise to the optimizer's own rate over the `warmup`, and then a decay to its `end`th part at the last step."""

    warmup: float = 0.0  # a share of all steps
    decay: Decay = "constant"
    end: float = 0.0  # what is left at the last step, as a share

    def at(self, step: int, steps: float) -> float:
        """The share of the optimizer's own rate.

        >>> rates = Rates(warmup=0.2, decay="linear", end=0.1)
        >>> [round(rates.at(step, 10.0), 3) for step in (0, 1, 2, 6, 10)]
        [0.5, 1.0, 1.0, 0.55, 0.1]
        >>> [round(Rates(decay="cosine").at(step, 4.0), 3) for step in range(5)]
        [1.0, 0.854, 0.5, 0.146, 0.0]
        """
        first = self.warmup * steps if steps < inf else 0.0
        if step < first:
            return min(1.0, (step + 1) / first)
        done = min(1.0, (step - first) / max(steps - first, 1)) if steps < inf else 0.0
        if self.decay == "linear":
            return 1 - (1 - self.end) * done
        if self.decay == "cosine":
            return self.end + (1 - self.end) * (1 + cos(pi * done)) / 2
        return self.end**done if self.decay == "exponential" else 1.0

    def set(self, optimizer: torch.optim.Optimizer, step: int, steps: float, by_part: Mapping[str, float]) -> None:
        share = self.at(step, steps)
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * share * by_part.get(group["name"], 1.0)


STEADY = Rates()


def checked(rates: Rates) -> Rates:
    if not 0 <= rates.warmup < 1:
        raise ValueError(f"rates.warmup={rates.warmup}: a share of the steps from 0 up to, but not, 1 is needed")
    if not 0 <= rates.end <= 1 or (rates.decay == "exponential" and rates.end == 0):
        raise ValueError(f"rates.end={rates.end}: a share up to 1 is needed, above 0 where rates.decay=exponential")
    return rates
