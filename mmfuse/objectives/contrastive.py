"""Contrastive alignment (CLIP), where a row's two codes are closer together than those of two rows.

For codes of length 1, a_i and b_i of row i, and the scale s: the mean over i of -log softmax_j(s a_i b_j) at j = i, and
of the same with a and b exchanged, divided by 2. Radford et al., CLIP, 2021, https://arxiv.org/abs/2103.00020: s is
learned as its logarithm, one for each two modalities, starts at 1 / 0.07 and is held at 100 at most, here before each
step and without stopping its gradient.

Where there are few classes, most of the batch that is pushed away is of the row's own class. With `positives`, rows of
one label belong together, and the loss is the mean over a row's right columns (Khosla et al., 2020,
https://arxiv.org/abs/2004.11362, its L_out). That uses labels; a row without one has its own pair only.

It counts the rows that have both modalities, of all devices together; fewer than two of them are no loss.
"""

from collections.abc import Mapping
from math import log

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from mmfuse.objectives.pairs import Alignment, Pair
from mmfuse.objectives.ranks import joined
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.pairs import Pairs, from_each
from mmfuse.types import Batch, Task

LARGEST = 100.0  # scale


class Contrastive(Alignment):
    def __init__(
        self,
        dims: Mapping[str, int],
        tasks: Mapping[str, Task],
        temperature: float = 0.07,
        learned: bool = True,
        positives: str | None = None,
        projection: int | None = None,
        weight: float = 1.0,
    ):
        """`positives` names a task of classes or items."""
        super().__init__(dims, weight, projection)
        if temperature <= 0 or (learned and temperature < 1 / LARGEST):
            raise ValueError(f"temperature={temperature}: more than 0 is needed, and {1 / LARGEST} where it is learned")
        labels = [t for t, task in tasks.items() if isinstance(task, Multiclass | Pairs) and task.of is None]
        if positives is not None and positives not in labels:
            raise ValueError(f"positives={positives}: a task of one class a row is needed; there are {labels}")
        self.positives, self.learned = positives, learned
        scales = torch.full((len(self.pairs),), log(1 / temperature))
        self.log_scale = nn.Parameter(scales, requires_grad=learned)  # (P,)

    def loss(self, pair: Pair, batch: Batch) -> Float[Tensor, ""]:
        if self.learned:
            self.log_scale.data.clamp_(max=log(LARGEST))
        same = torch.eye(len(pair.x), dtype=torch.bool, device=pair.x.device)  # (n, n)
        if self.positives is not None:
            labels = joined(batch.targets[self.positives])[pair.rows]  # (n,)
            same |= (labels[:, None] == labels) & (labels >= 0)
        return info_nce(pair.x, pair.y, self.log_scale[pair.place].to(pair.x.dtype).exp(), same)


def info_nce(
    x: Float[Tensor, "n d"], y: Float[Tensor, "n d"], scale: Float[Tensor, ""], same: Bool[Tensor, "n n"]
) -> Float[Tensor, ""]:
    """`same` is True where the first's row belongs to the second's.

    >>> codes, own, one = torch.eye(3), torch.eye(3, dtype=torch.bool), torch.tensor(1.0)
    >>> round(info_nce(codes, codes, one, own).item(), 4)  # log(1 + 2 / e)
    0.5514
    >>> round(info_nce(torch.ones(3, 2), torch.ones(3, 2), one, own).item(), 4)  # all look alike: log 3
    1.0986
    """
    scores = scale * F.normalize(x, dim=1) @ F.normalize(y, dim=1).T  # (n, n)
    right = same.to(scores.dtype)
    return (from_each(scores, right) + from_each(scores.T, right)) / 2
