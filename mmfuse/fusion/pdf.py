"""Predictive dynamic fusion: a modality counts by how right it is going to be, and by how wrong the others are.

A small network foretells from a modality's logits the probability that it gives to the true class, c_m in (0, 1). With
the others' doubt it makes the belief b_m = c_m + (sum over j != m of log c_j) / (sum over all j of log c_j), and
fused = sum of softmax(b)_m logits_m (Cao et al., Predictive Dynamic Fusion, ICML 2024,
https://arxiv.org/abs/2406.04802). Besides the task's loss there are the cross-entropy of each modality by itself
("own") and |c_m - p_m(true class)| ("foretell"), which teaches the network alone. Where nothing is learned, beliefs are
calibrated: b_m is made smaller by u_m / (mean of u_j, j != m) where that is below 1, with u_m = mean over classes of
|p_m - 1 / C|, which is small where a modality cannot tell.

Where we differ: the paper has two modalities, and of more the doubt is the sum over the others; the published network
reads features, where here there are logits; there no gradient goes through the weights (`detached: true`).
For model=late and one class of several. An absent modality counts 0. Weights are softmax(b).
Parameters: M ((C + 1) h + h + 1), h = `hidden`.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse import masks
from mmfuse.fusion.decision import Decision, mean_over_labelled, own_loss
from mmfuse.types import Fused, Losses, Parts, Signals, Task

NEVER = 1e-4  # no confidence is closer to 0 or 1 than this: its logarithm would be without end


class PdfFusion(Decision):
    def __init__(
        self, dims: dict[str, int], hidden: int = 64, own: float = 1.0, foretell: float = 1.0, detached: bool = False
    ):
        super().__init__(dims)
        if min(own, foretell) < 0:
            raise ValueError(f"own={own}, foretell={foretell}: a loss counts at least 0")
        self.own, self.foretell, self.detached = own, foretell, detached
        self.tells = Parts(
            {m: nn.Sequential(nn.Linear(self.dim, hidden), nn.ReLU(), nn.Linear(hidden, 1)) for m in dims}
        )

    def fuse(self, signals: Signals) -> Fused:
        heard = self.heard(signals)
        told = self.confidence(heard.logits)
        belief = believed(told, heard.present)
        if not self.training:
            belief = belief * calibration(heard.logits, heard.present)
        weights = masks.softmax(belief, heard.present)  # (B, M)
        counts = weights.detach() if self.detached else weights
        fused = (counts.unsqueeze(-1) * heard.logits).sum(dim=1)  # (B, C)

        def lesson(task: Task, target: Tensor, rows: Tensor) -> Losses:
            read = heard.logits.detach()
            known = target.clamp(min=0)[:, None, None].expand(-1, read.shape[1], 1)
            right = read.softmax(dim=2).gather(2, known).squeeze(2)  # (B, M)
            wrong = (self.confidence(read) - right).abs().masked_fill(~heard.present, 0.0)
            return {
                "own": self.own * own_loss(task, heard, target),
                "foretell": self.foretell * mean_over_labelled(wrong, target),
            }

        return Fused(self.said(fused.log_softmax(dim=1), heard.present), weights=weights, lesson=lesson)

    def confidence(self, logits: Float[Tensor, "B M C"]) -> Float[Tensor, "B M"]:
        told = [tell(logits[:, k]) for k, tell in enumerate(self.tells.values())]
        return torch.cat(told, dim=1).sigmoid().clamp(NEVER, 1 - NEVER)


def believed(told: Float[Tensor, "B M"], present: Bool[Tensor, "B M"]) -> Float[Tensor, "B M"]:
    doubt = told.log().masked_fill(~present, 0.0)
    total = doubt.sum(dim=1, keepdim=True)  # below 0, but where nothing is present
    return told + (total - doubt) / torch.where(total < 0, total, torch.ones_like(total))


def calibration(logits: Float[Tensor, "B M C"], present: Bool[Tensor, "B M"]) -> Float[Tensor, "B M"]:
    tells = (logits.softmax(dim=2) - 1 / logits.shape[2]).abs().mean(dim=2).masked_fill(~present, 0.0)  # (B, M)
    others = (present.sum(dim=1, keepdim=True) - 1).clamp(min=1)
    mean = (tells.sum(dim=1, keepdim=True) - tells) / others
    return torch.where(mean > tells, tells / mean.clamp(min=1e-12), torch.ones_like(tells))
