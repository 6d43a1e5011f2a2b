"""AGM scales each encoder's gradient by how far its modality is from where it usually stands against the others.

What modality m says is its Shapley value phi_m among all modalities, on the logits: over the coalitions S without m,
the weighted mean of f(S and m) - f(S), with f(S) what the model says when it hears S. Nothing says nothing, f of no
modality is 0, so that the phi of a row sum to f of all. s_m is the cross-entropy of phi_m, and
r_m = exp(mean of the others' s - s_m) how far m is ahead; tau_m is the same of the means of s over all steps before.
The gradient of encoder m is multiplied by exp(alpha (tau_m - r_m)). Li et al., Boosting Multi-modal Model Performance
with Adaptive Gradient Modulation, ICCV 2023, https://arxiv.org/abs/2308.07686.

The paper bounds nothing, its code the exponent at 10; here no factor is above `most`, and at the first step all are 1.
A later benchmark leaves out the coalition of nobody, and its phi do not sum to f. M modalities are 2^M - 1 coalitions,
each one pass of the fusion and the heads, without the encoders.

A row counts for the modalities that it has; one that it lacks has a phi of 0.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import comb

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mmfuse import masks
from mmfuse.balance.others import mean_of_others
from mmfuse.balance.ranks import total_over_ranks
from mmfuse.tasks.chosen import chosen
from mmfuse.types import Balancer, Step, Task


class Agm(Balancer):
    average: Tensor  # (M,) of each modality's cross-entropy over the steps that told it
    steps: Tensor  # (M,) how many these were

    def __init__(
        self,
        modalities: Sequence[str],
        tasks: Mapping[str, Task],
        task: str | None = None,
        alpha: float = 1.0,
        most: float = 10.0,
    ):
        """`task` tells who is ahead, None for the first of classes; `most` bounds the factors."""
        super().__init__()
        if alpha < 0 or most < 1:
            raise ValueError(f"alpha={alpha}, most={most}: at least 0 and at least 1 are needed")
        self.task, self.alpha, self.most = chosen(tasks, task, "agm"), alpha, most
        self.register_buffer("average", torch.zeros(len(modalities)))
        self.register_buffer("steps", torch.zeros(len(modalities)))

    def forward(self, step: Step) -> Tensor:
        scores = self.scores(step)
        factors = self.factors(scores)
        for signal, factor in zip(step.outputs.encoded.values(), factors, strict=True):
            if signal.data.requires_grad:
                signal.data.register_hook(lambda g, factor=factor: factor * g)
        known = scores.isfinite()
        self.steps += known
        self.average += torch.where(known, (scores - self.average) / self.steps.clamp(min=1), 0.0)
        return torch.stack(list(step.losses.values())).sum()

    def factors(self, scores: Float[Tensor, " M"]) -> Float[Tensor, " M"]:
        """By the scores of this step and of those before."""
        usual = self.average.masked_fill(self.steps == 0, torch.nan)
        gap = ahead(usual) - ahead(scores)
        return torch.where(gap.isfinite(), torch.exp(self.alpha * gap), 1.0).clamp(max=self.most)

    @torch.no_grad()
    def scores(self, step: Step) -> Float[Tensor, " M"]:
        """The cross-entropy of what each modality says; NaN where no row tells."""
        target = step.batch.targets[self.task]  # (B,)
        sums, counts = [], []
        for m, phi in shapley(self.values(step)).items():
            tells = step.outputs.encoded[m].present & (target >= 0)
            each = F.cross_entropy(phi, target.clamp(min=0), reduction="none")  # (B,)
            sums.append(each.masked_fill(~tells, 0.0).sum())
            counts.append(tells.sum())
        total = total_over_ranks(torch.stack([torch.stack(sums), torch.stack(counts).float()]))
        return total[0] / total[1]

    def values(self, step: Step) -> dict[tuple[str, ...], Float[Tensor, "B K"]]:
        """What is said by each coalition of modalities; 0 for a row that has none of them."""
        encoded = step.outputs.encoded
        found = {}
        for size in range(1, len(encoded) + 1):
            for coalition in combinations(encoded, size):
                said = step.outputs.predict(masks.keep(encoded, coalition))[self.task].float()  # (B, K)
                there = torch.stack([encoded[m].present for m in coalition]).any(dim=0)  # (B,)
                found[coalition] = said.masked_fill(~there[:, None], 0.0)
        return found


def shapley(values: Mapping[tuple[str, ...], Tensor]) -> dict[str, Tensor]:
    """What each player adds, by the values of all coalitions but that of nobody, which is 0.

    >>> shapley({("a",): torch.tensor(3.0), ("b",): torch.tensor(1.0), ("a", "b"): torch.tensor(6.0)})
    {'a': tensor(4.), 'b': tensor(2.)}
    """
    everybody = max(values, key=len)
    found = {}
    for m in everybody:
        added = []
        for coalition, value in values.items():
            if m in coalition:
                before = tuple(other for other in coalition if other != m)
                share = 1 / (len(everybody) * comb(len(everybody) - 1, len(before)))
                added.append(share * (value - values[before] if before else value))
        found[m] = torch.stack(added).sum(dim=0)
    return found


def ahead(scores: Float[Tensor, " M"]) -> Float[Tensor, " M"]:
    """How far each is ahead of the others, 1 for level; NaN where nothing can be compared.

    >>> ahead(torch.tensor([1.0, 2.0]))
    tensor([2.7183, 0.3679])
    """
    return (mean_of_others(scores) - scores).clamp(-20, 20).exp()
