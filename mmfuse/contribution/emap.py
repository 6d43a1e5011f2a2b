"""EMAP, the additive function that is closest to a model: what is left of it where its modalities do not interact.

f^(x) = sum over m of E[f | x_m] - (M - 1) E[f], on logits and with the modalities independent of each other, each as
it is among N rows (Hessel and Lee, Does my multimodal model learn cross-modal interactions?, 2020,
https://arxiv.org/abs/2010.06572). Where it is as good as the model, the model's interactions gain nothing.

Of two modalities the means are over all N^2 pairs, and so exact. Of more, N^M is out of reach: what stands beside a
value are N combinations in which every modality's every value is once (a Latin hypercube). That leaves an additive
model what it is to the last bit of rounding, and is a sample of the mean for others.
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
    """By task. The model is asked M N^2 times."""
    dice = np.random.default_rng(seed)
    beside = {m: torch.from_numpy(dice.permutation(rows)) for m in modalities}  # (N,) each
    found: dict[str, dict[str, list[Tensor]]] = {}
    for m in modalities:
        for some in torch.arange(rows).split(max(1, AT_ONCE // rows)):  # (I,)
            places = {other: order.repeat(len(some)) for other, order in beside.items()}  # (I N,) each
            said = ask(places | {m: some.repeat_interleave(rows)})
            for t, logits in said.items():
                means = logits.double().unflatten(0, (len(some), rows)).mean(dim=1)  # (I, K)
                found.setdefault(t, {}).setdefault(m, []).append(means)
    joined = {t: {m: torch.cat(means) for m, means in parts.items()} for t, parts in found.items()}
    return {t: Additive(p, torch.stack(list(p.values())).mean(dim=(0, 1))) for t, p in joined.items()}
