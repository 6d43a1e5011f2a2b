"""ReconBoost has each modality learn, in its turn, most from the rows that the others get wrong.

Goes with `schedule=reconboost`, which gives the turns. p_m is what modality m says by itself, q what the others say
together, the softmax of the sum of their logits, and y the right class. The loss of m, the mean over rows, is

    (w1 - w2 q(y)) (-log p_m(y)) + alpha |p_m - p_n|^2 / C

with n the modality whose turn was before, C classes, and q and p_n constants: cross-entropy less the agreement with the
rest, and a pull to what was learned last (memory consolidation). Hua et al., ReconBoost: Boosting Can Achieve Modality
Reconcilement, ICML 2024, https://arxiv.org/abs/2405.09321; the weights are theirs for MOSEI.

The released code has p_m constant in the last term, too, so that nothing learns from it; here m does. As in the code,
the agreement is that on the right class: over all classes it would have no lower bound, and so w2 may not be above w1.
Before its first turn a modality says next to nothing, and q and p_n are near 1 / C; the code leaves that turn's last
term out.

A row counts for the modalities that it has; one that lacks all others has no q, and one that lacks n no pull.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from mmfuse import masks
from mmfuse.tasks.chosen import chosen
from mmfuse.types import Batch, Losses, Objective, Outputs, Task


class Reconboost(Objective):
    def __init__(
        self,
        dims: Mapping[str, int],
        tasks: Mapping[str, Task],
        task: str | None = None,
        w1: float = 1.0,
        w2: float = 0.25,
        alpha: float = 0.5,
    ):
        """`task` is what they learn by themselves, None for the first of classes."""
        super().__init__()
        if len(dims) < 2:
            raise ValueError(f"modalities learn from each other's errors, but there is {list(dims)} alone")
        if not 0 <= w2 <= w1 or alpha < 0:
            raise ValueError(f"w1={w1}, w2={w2}, alpha={alpha}: 0 <= w2 <= w1 and an alpha of at least 0 are needed")
        self.modalities, self.task = list(dims), chosen(tasks, task, "reconboost")
        self.w1, self.w2, self.alpha = w1, w2, alpha

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"reconboost/{m}" for m in self.modalities)

    def forward(self, outputs: Outputs, batch: Batch) -> Losses:
        encoded, target = outputs.encoded, batch.targets[self.task]  # (B,)
        here = {m: encoded[m].present for m in self.modalities}  # (B,) each
        said = {m: outputs.predict(masks.keep(encoded, {m}))[self.task].float() for m in self.modalities}  # (B, K)
        said = {m: logits.masked_fill(~here[m][:, None], 0.0) for m, logits in said.items()}
        losses: Losses = {}
        for i, m in enumerate(self.modalities):
            others = [other for other in self.modalities if other != m]
            last = self.modalities[i - 1]
            rest = torch.stack([said[other].detach() for other in others]).sum(dim=0)
            some = torch.stack([here[other] for other in others]).any(dim=0)
            each = self.boosting(said[m], rest, some, target)
            gap = (said[m].softmax(dim=1) - said[last].detach().softmax(dim=1)).square().mean(dim=1)  # (B,)
            each = each + self.alpha * gap.masked_fill(~here[last], 0.0)
            counts = here[m] & (target >= 0)
            losses[f"reconboost/{m}"] = each.masked_fill(~counts, 0.0).sum() / counts.sum().clamp(min=1)
        return losses

    def boosting(self, own: Tensor, rest: Tensor, some: Tensor, target: Tensor) -> Tensor:
        """The loss of each row, (B,), by (B, K) logits of the learner and of `some` others."""
        y = target.clamp(min=0)
        q = rest.softmax(dim=1).gather(1, y[:, None])[:, 0].masked_fill(~some, 0.0)
        return (self.w1 - self.w2 * q) * F.cross_entropy(own, y, reduction="none")
