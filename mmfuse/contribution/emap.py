"""EMAP, the additive function that is closest to a model: what is left of it where its modalities do not interact.

f^(x) = sum over m of E[f | x_m] - (M - 1) E[f], on logits and with the modalities independent of each other, each as
it is among N rows (Hessel and Lee, Does my multimodal model learn cross-modal interactions?, 2020,
https://arxiv.org/abs/2010.06572). Where it is as good as the model, the model's interactions gain nothing.

Of two modalities the means are over all N^2 pairs, and so exact. Of more, N^M is out of reach: what stands beside a
value are N / (M - 1) combinations in which no value is twice (a Latin hypercube). That leaves an additive model what
it is but for rounding, and is a sample of the mean for others.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mmfuse.types import Predictions

AT_ONCE = 4096  # rows that are asked about together

Ask = Callable[[Mapping[str, Int[Tensor, " B"]]], Predictions]  # of rows put together from numbers 0 to N - 1


class Additive(NamedTuple):
    parts: Mapping[str, Float[Tensor, "N K"]]  # by modality m: E[f | x_m]
    mean: Float[Tensor, " K"]  # E[f]

    def at(self, places: Mapping[str, Int[Tensor, " B"]]) -> Float[Tensor, "B K"]:
        given = torch.stack([part[places[m]] for m, part in self.parts.items()])  # (M, B, K)
        return given.sum(dim=0) - (len(self.parts) - 1) * self.mean


def emap(ask: Ask, modalities: Sequence[str], rows: int, seed: int = 0) -> dict[str, Additive]:
    """By task. The model is asked M / (M - 1) N^2 times."""
    dice, many = np.random.default_rng(seed), max(1, rows // max(1, len(modalities) - 1))
    beside = {m: torch.from_numpy(dice.permutation(rows)[:many]) for m in modalities}  # (J,) each
    found: dict[str, dict[str, list[Tensor]]] = {}
    for m in modalities:
        for some in torch.arange(rows).split(max(1, AT_ONCE // many)):  # (I,)
            places = {other: order.repeat(len(some)) for other, order in beside.items()}  # (I J,) each
            said = ask(places | {m: some.repeat_interleave(many)})
            for t, logits in said.items():
                means = logits.double().unflatten(0, (len(some), many)).mean(dim=1)  # (I, K)
                found.setdefault(t, {}).setdefault(m, []).append(means)
    parts = {t: {m: torch.cat(means) for m, means in each.items()} for t, each in found.items()}
    # What is taken off has to be of the values that stood beside, or an additive model would not stay what it is.
    whole = {t: torch.stack([part[beside[m]].mean(dim=0) for m, part in p.items()]) for t, p in parts.items()}
    return {t: Additive(part, whole[t].mean(dim=0)) for t, part in parts.items()}
