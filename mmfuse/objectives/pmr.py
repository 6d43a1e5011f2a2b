"""PMR pulls the slower modalities to the centres of their classes, and holds the faster ones off theirs at first.

c_k is the centre of class k in one modality, the mean of its encoded rows; p(k | z) ~ exp(-|z - c_k|), the distance
being Euclidean. rho_m is the mean p of the right class in modality m over the mean of that of the other modalities. The
loss of m is alpha clip(1 / rho_m - 1, 0, 1) CE(p), and, in the first `early` epochs, minus
mu clip(rho_m - 1, 0, 1) H(p), H the entropy. Fan et al., PMR: Prototypical Modal Rebalance for Multimodal Learning,
CVPR 2023, https://arxiv.org/abs/2211.07089, for two modalities; its code has 0 or 1 for the clipped factor, and no H.

Centres are measured on the rows of each training epoch while it goes, and counted in at the start of the next, the old
ones kept by `momentum`; so the first epoch has no loss. The paper's code measures them after the epoch, on a tenth of
the rows.

A row counts for the modalities that it has, and where its class has a centre.
"""

from collections.abc import Mapping

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor

from mmfuse.tasks.chosen import chosen
from mmfuse.types import Batch, Losses, Objective, Outputs, Task


class Pmr(Objective):
    centres: Tensor  # (C, D) of classes, all modalities' features side by side
    known: Tensor  # (C, M) where there is one
    sums: Tensor  # (C, D) of this epoch's rows
    counts: Tensor  # (C, M) how many these are

    def __init__(
        self,
        dims: Mapping[str, int],
        tasks: Mapping[str, Task],
        task: str | None = None,
        alpha: float = 1.0,
        momentum: float = 0.5,
        mu: float = 0.01,
        early: int = 10,
    ):
        """`task` has the classes, None for the first that has; `early` is in epochs."""
        super().__init__()
        if min(alpha, mu) < 0 or not 0 <= momentum < 1:
            raise ValueError(
                f"alpha={alpha}, mu={mu}, momentum={momentum}: alpha and mu of at least 0, and a momentum of 0 up to,"
                " but not, 1 are needed"
            )
        self.dims, self.task = dict(dims), chosen(tasks, task, "pmr")
        self.alpha, self.momentum, self.mu, self.early, self.epoch = alpha, momentum, mu, early, 0
        classes, features = tasks[self.task].size, sum(dims.values())
        self.register_buffer("centres", torch.zeros(classes, features))
        self.register_buffer("known", torch.zeros(classes, len(dims), dtype=torch.bool))
        self.register_buffer("sums", torch.zeros(classes, features))
        self.register_buffer("counts", torch.zeros(classes, len(dims)))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"pmr/{m}" for m in self.dims)

    def at_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        for measured in (self.sums, self.counts):
            if dist.is_available() and dist.is_initialized():
                dist.all_reduce(measured)
        parts = zip(self.split(self.centres), self.split(self.sums), self.counts.T, self.known.T, strict=True)
        for centre, total, count, known in parts:  # (C, D_m), (C, D_m), (C,), (C,): views of the buffers
            fresh = total / count.clamp(min=1)[:, None]
            kept = torch.where(known, self.momentum, 0.0)[:, None]
            centre.copy_(torch.where(count[:, None] > 0, kept * centre + (1 - kept) * fresh, centre))
            known |= count > 0
        self.sums.zero_()
        self.counts.zero_()

    def split(self, features: Float[Tensor, "C D"]) -> tuple[Tensor, ...]:
        return features.split(list(self.dims.values()), dim=1)

    def forward(self, outputs: Outputs, batch: Batch) -> Losses:
        target = batch.targets[self.task]  # (B,)
        centres, sums = self.split(self.centres), self.split(self.sums)
        said: list[Tensor] = []  # by modality, (R, C) log p of the rows that count
        right: list[Tensor] = []  # (R,) their classes
        for i, m in enumerate(self.dims):
            here = outputs.encoded[m].present & (target >= 0)
            z, y = outputs.encoded[m].pooled()[here].float(), target[here]  # (R, D_m), (R,)
            if self.training:
                sums[i].index_add_(0, y, z.detach())
                self.counts[:, i].index_add_(0, y, torch.ones_like(y, dtype=torch.float))
            z, y = z[self.known[y, i]], y[self.known[y, i]]
            said.append(log_near(z, centres[i], self.known[:, i]))
            right.append(y)
        # An empty mean is NaN, and so tells nothing.
        own = torch.stack([p.detach().exp().gather(1, y[:, None]).mean() for p, y in zip(said, right, strict=True)])
        slow, fast = paces(own)
        losses: Losses = {}
        for i, name in enumerate(self.names):
            rows = max(len(right[i]), 1)
            loss = -self.alpha * slow[i] * said[i].gather(1, right[i][:, None]).sum() / rows
            if self.epoch < self.early:
                logs = said[i].masked_fill(~self.known[:, i], 0.0)  # where p is 0 its log has no end
                loss = loss + self.mu * fast[i] * (said[i].exp() * logs).sum() / rows
            losses[name] = loss
        return losses


def log_near(z: Float[Tensor, "R D"], centres: Float[Tensor, "C D"], known: Tensor) -> Float[Tensor, "R C"]:
    """The log of p(k | z), of the classes that have a centre."""
    distance = torch.cdist(z, centres, compute_mode="donot_use_mm_for_euclid_dist")  # its slope at 0 is 0
    return (-distance).masked_fill(~known, torch.finfo(z.dtype).min).log_softmax(dim=1)


def paces(scores: Float[Tensor, " M"]) -> tuple[Float[Tensor, " M"], Float[Tensor, " M"]]:
    """By how much each modality is slower than the mean of the others, and faster, both up to 1.

    >>> paces(torch.tensor([0.6, 0.4]))
    (tensor([0.0000, 0.5000]), tensor([0.5000, 0.0000]))
    """
    others = (scores.nansum() - scores) / (scores.isfinite().sum() - 1)
    slow, fast = others / scores - 1, scores / others - 1
    return slow.nan_to_num(0.0).clamp(0, 1), fast.nan_to_num(0.0).clamp(0, 1)
