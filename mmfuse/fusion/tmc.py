"""Trusted multi-view classification: modalities give evidence, doubt included, and Dempster's rule combines it.

Evidence e_m = softplus(logits_m) >= 0 for each of C classes makes the Dirichlet distribution with alpha_m = e_m + 1 and
the strength S_m = sum of alpha_m; its belief in a class is e_m / S_m, and C / S_m is its doubt (Han et al., Trusted
Multi-View Classification, ICLR 2021, https://arxiv.org/abs/2102.02051). Dempster's rule over all modalities comes to
e = C (product over m of (1 + e_m / C) - 1), in whatever order. What comes out is log(alpha / S), the mean of its
Dirichlet. Its own loss stands in place of the task's, for what is fused and for each modality:

    digamma(S) - digamma(alpha_y) + t KL(Dirichlet(alpha with 1 at y) || Dirichlet(1, ..., 1)),

where t rises from 0 to 1 over `annealing` epochs. For model=late and one class of several, whose weights by class or
focal loss it has no place for. An absent modality has no evidence, which changes nothing. Weights are 1 - doubt.
Parameters: none.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.distributions import Dirichlet, kl_divergence
from torch.nn import functional as F

from mmfuse.fusion.decision import Decision, mean_over_labelled
from mmfuse.types import Fused, Losses, Signals, Task


class TmcFusion(Decision):
    replaces = True

    def __init__(self, dims: dict[str, int], annealing: int = 50):
        super().__init__(dims)
        if annealing < 1:
            raise ValueError(f"annealing={annealing}: at least 1 epoch is needed")
        self.annealing, self.share = annealing, 0.0

    def at_epoch(self, epoch: int) -> None:
        self.share = min(1.0, epoch / self.annealing)

    def fuse(self, signals: Signals) -> Fused:
        heard = self.heard(signals)
        logits = heard.logits.to(torch.promote_types(heard.logits.dtype, torch.float32))  # the product may be large
        given = F.softplus(logits).masked_fill(~heard.present.unsqueeze(-1), 0.0)  # (B, M, C)
        fused = self.dim * (given / self.dim).log1p().sum(dim=1).expm1()  # (B, C)
        alpha = fused + 1
        decided = (alpha / alpha.sum(dim=1, keepdim=True)).log()
        certain = given.sum(dim=2) / (given.sum(dim=2) + self.dim)  # (B, M) 1 - doubt
        weights = certain / certain.sum(dim=1, keepdim=True).clamp(min=1e-12)

        def lesson(task: Task, target: Tensor, rows: Tensor) -> Losses:
            views = self.wrong(given, target).masked_fill(~heard.present, 0.0)  # (B, M)
            whole = self.wrong(fused.unsqueeze(1), target)  # (B, 1)
            return {"task": mean_over_labelled(whole, target), "views": mean_over_labelled(views, target)}

        return Fused(self.said(decided, heard.present), weights=weights, lesson=lesson)

    def wrong(self, evidence: Float[Tensor, "B M C"], target: Int[Tensor, " B"]) -> Float[Tensor, "B M"]:
        right: Bool[Tensor, "B 1 C"] = F.one_hot(target.clamp(min=0), self.dim).bool().unsqueeze(1)
        alpha = evidence + 1
        sure = alpha.sum(dim=2).digamma() - alpha.masked_fill(~right, 0.0).sum(dim=2).digamma()  # (B, M)
        misled = Dirichlet(alpha.masked_fill(right, 1.0), validate_args=False)
        return sure + self.share * kl_divergence(misled, Dirichlet(torch.ones_like(alpha), validate_args=False))
