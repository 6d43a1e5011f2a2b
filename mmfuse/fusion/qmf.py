"""Quality-aware multimodal fusion: each modality's logits count as much as its energy says that it can be trusted.

fused = sum over m of c_m logits_m with c_m = softplus(logsumexp(logits_m)) / 10 (Zhang et al., Provable Dynamic Fusion
for Low-Quality Multimodal Data, ICML 2023, https://arxiv.org/abs/2306.02050). Besides the task's loss there are the
cross-entropy of each modality by itself ("own") and a ranking ("rank"): of two rows, the one that a modality has had
the lower losses on over training so far is to have the higher confidence,

    mean over pairs (i, j) of max(0, c_hard - c_easy + |h_i - h_j|),

with h the mean loss so far, as a share from the lowest to the highest of those in the batch. Pairs are neighbours in
the batch. Where we differ from the published code: there the margin is added on the wrong side, so that a pair in the
wrong order may cost nothing; there c_m is the energy over 10 itself, which turns a modality's logits around where it
is negative; there no gradient goes through c_m into what is fused (`detached: true`).
For model=late and one class of several. An absent modality counts 0. Weights are c_m, to sum to 1.
Parameters: none; the losses so far are kept in checkpoints.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from mmfuse.fusion.decision import Decision, Heard, own_loss
from mmfuse.types import Fused, Losses, Signals, Task


class QmfFusion(Decision):
    remembers = True

    def __init__(self, dims: dict[str, int], own: float = 1.0, rank: float = 1.0, detached: bool = False):
        super().__init__(dims)
        if min(own, rank) < 0:
            raise ValueError(f"own={own}, rank={rank}: a loss counts at least 0")
        self.own, self.rank, self.detached = own, rank, detached
        self.sums = np.zeros((0, len(dims)))  # (N, M) by row of the data set: the losses so far
        self.times = np.zeros((0, len(dims)))  # (N, M) and how many there were

    def fuse(self, signals: Signals) -> Fused:
        heard = self.heard(signals)
        confidence = (F.softplus(heard.logits.logsumexp(dim=2)) / 10).masked_fill(~heard.present, 0.0)  # (B, M)
        counts = confidence.detach() if self.detached else confidence
        fused = (counts.unsqueeze(-1) * heard.logits).sum(dim=1)  # (B, C)
        weights = confidence / confidence.sum(dim=1, keepdim=True).clamp(min=1e-12)

        def lesson(task: Task, target: Tensor, rows: Tensor) -> Losses:
            ranked = heard.present & (target >= 0)[:, None]
            past = self.remembered(rows, heard, target, ranked)
            return {
                "own": self.own * own_loss(task, heard, target),
                "rank": self.rank * misranked(confidence, past, ranked),
            }

        return Fused(self.said(fused.log_softmax(dim=1), heard.present), weights=weights, lesson=lesson)

    def remembered(
        self, rows: Int[Tensor, " B"], heard: Heard, target: Int[Tensor, " B"], ranked: Bool[Tensor, "B M"]
    ) -> Float[Tensor, "B M"]:
        """The mean of the losses that each row has had, this one among them where rows are trained on."""
        logs = heard.logits.detach().float().log_softmax(dim=2)  # (B, M, C)
        now = F.nll_loss(logs.movedim(2, 1), target[:, None].expand_as(ranked), ignore_index=-1, reduction="none")
        which = rows.cpu().numpy()
        short = int(which.max(initial=-1)) + 1 - len(self.sums)
        if short > 0:
            self.sums, self.times = (np.pad(a, ((0, short), (0, 0))) for a in (self.sums, self.times))
        if self.training:
            counted = ranked.cpu().numpy()
            np.add.at(self.sums, which, np.where(counted, now.cpu().double().numpy(), 0.0))
            np.add.at(self.times, which, counted)
        return torch.from_numpy(self.sums[which] / np.maximum(self.times[which], 1)).to(now)

    def get_extra_state(self) -> dict[str, Tensor]:
        return {"sums": torch.from_numpy(self.sums), "times": torch.from_numpy(self.times)}

    def set_extra_state(self, state: Any) -> None:
        self.sums, self.times = state["sums"].cpu().numpy(), state["times"].cpu().numpy()


def misranked(
    confidence: Float[Tensor, "B M"], past: Float[Tensor, "B M"], ranked: Bool[Tensor, "B M"]
) -> Float[Tensor, ""]:
    """Over pairs of neighbours, the last with the first, and modalities that both have: how far they are from order."""
    lowest = past.masked_fill(~ranked, torch.inf).amin(dim=0)
    reach = (past.masked_fill(~ranked, -torch.inf).amax(dim=0) - lowest).clamp(min=1e-12)
    share = ((past - lowest) / reach).masked_fill(~ranked, 0.0)  # (B, M) from 0 to 1
    harder = share - share.roll(-1, 0)  # of a row against the next
    lead = (confidence - confidence.roll(-1, 0)) * harder.sign()  # of the harder row of a pair, and wrong where above 0
    pairs = ranked & ranked.roll(-1, 0) & (harder != 0)
    return (lead + harder.abs()).clamp(min=0).masked_fill(~pairs, 0.0).sum() / pairs.sum().clamp(min=1)
