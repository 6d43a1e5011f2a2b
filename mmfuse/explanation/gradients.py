"""How much of what a model says hangs on each modality, by gradient times input.

Of a row, the output that decides (the predicted class's logit, the likeliest label's, a regression's value) is
differentiated by what each modality is fed in as; |gradient x input| is summed over all of a modality's numbers, and
is told as a share of all modalities' (Shrikumar et al., Not Just a Black Box, 2016, https://arxiv.org/abs/1605.01713).

Fed in are the prepared input where that is numbers, pictures of bytes from -1 to 1; and what the encoder says where it
is word numbers, which have no gradient. A modality of more numbers, or of larger ones, has more to sum.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from mmfuse.encoders.pictures import scaled
from mmfuse.types import Model, Signal, Signals, Task


class Shares(NamedTuple):
    each: dict[str, Float[Tensor, "B M"]]  # by task: 1 in sum, or 0 throughout where nothing counts
    of: dict[str, str]  # by modality: "input", or "encoding"


def shares(model: Model, signals: Signals, tasks: Mapping[str, Task], heard: Collection[str] | None = None) -> Shares:
    """Of tasks on whole rows. The model is to be in evaluation mode; `heard` names modalities, None all of them."""
    leaves: Signals = {}
    encoded: Signals = {}
    whole = {t: task for t, task in tasks.items() if task.of is None and not task.between}
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # whose recurrent nets differentiate training
        for m, (data, mask) in signals.items():
            reads = data.is_floating_point() or data.dtype == torch.uint8
            first = Signal(scaled(data), mask) if reads else model.encoders[m](signals[m])
            leaves[m] = Signal(first.data.detach().requires_grad_(), first.mask)
            encoded[m] = model.encoders[m](leaves[m]) if reads else leaves[m]
            if heard is not None and m not in heard:
                encoded[m] = Signal(encoded[m].data, encoded[m].mask & False)
        said = model.predict(encoded)
        found = {t: by_row(decided(said[t]), leaves) for t in whole}
    discrete = {m for m, s in signals.items() if not (s.data.is_floating_point() or s.data.dtype == torch.uint8)}
    return Shares(found, {m: "encoding" if m in discrete else "input" for m in signals})


def decided(prediction: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
    """Of each row the highest output, the only one of a regression."""
    return prediction.amax(dim=1)


def by_row(decided: Float[Tensor, " B"], leaves: Signals) -> Float[Tensor, "B M"]:
    """Rows do not depend on each other, so that one gradient of their sum is that of each."""
    inputs = [signal.data for signal in leaves.values()]
    slopes = torch.autograd.grad(decided.sum(), inputs, retain_graph=True, allow_unused=True)
    sums = []
    for (data, mask), slope in zip(leaves.values(), slopes, strict=True):
        product = torch.zeros_like(data) if slope is None else (slope * data.detach()).abs()
        steps = product.flatten(2).sum(dim=2) if product.ndim > 2 else product  # (B, T)
        sums.append(torch.where(mask, steps, 0.0).sum(dim=1))
    each = torch.stack(sums, dim=1).double()  # (B, M)
    return each / each.sum(dim=1, keepdim=True).clamp(min=torch.finfo(each.dtype).tiny)
