"""MMMU-BA: every two modalities attend to each other's steps, which are the utterances of a video.

Multi-modal multi-utterance bi-modal attention, Ghosal et al., Contextual Inter-modal Attention for Multi-modal
Sentiment Analysis, EMNLP 2018, https://aclanthology.org/D18-1382. A dense layer takes each modality to one width,
X_m = relu(W_m x_m + b_m) of (T, D), and of each two, X and Y,

    A_x = (softmax(X Y') Y) * X,   A_y = (softmax(Y X') X) * Y

where a softmax is over the steps that are read. Side by side, both of every pair and each X_m by itself are the result:
M (M - 1) + M widths. The paper's encoders are GRUs in both directions over the utterances (encoder=context,
cell=gru, dim=null). The attention has no parameters: what counts is how alike two steps are.

What comes out are steps. Masked steps are not read; of an absent modality, X and all products with it are zeros. A row
without any is absent. Parameters: sum of (d_m + 1) * units.
"""

from itertools import combinations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse import masks
from mmfuse.fusion.aligned import Align, aligned
from mmfuse.fusion.step_space import StepSpace
from mmfuse.types import Fusion, Signal, Signals


class MmmuBaFusion(Fusion):
    by_step = True

    def __init__(self, dims: dict[str, int], units: int = 100, dropout: float = 0.5, align: Align = "require"):
        """`units` is D, and dropout of what the dense layers say."""
        super().__init__()
        if len(dims) < 2:
            raise ValueError(f"two modalities attend to each other, but there is {list(dims)} alone")
        self.dim = units * len(dims) ** 2
        self.align = align
        self.space = StepSpace(dims, units)
        self.drop = nn.Dropout(dropout)

    def forward(self, signals: Signals) -> Signal:
        steps = self.space(aligned(signals, list(self.space.maps), self.align))
        own = [(self.drop(s.data.relu()), s.mask) for s in steps.values()]  # (B, T, D), (B, T) each
        pairs = [heard for (x, _), (y, seen) in both_ways(own) for heard in [attended(x, y, seen)]]
        data = torch.cat([*pairs, *(x for x, _ in own)], dim=2)  # (B, T, M^2 D)
        return Signal(data, torch.stack([mask for _, mask in own]).any(dim=0))


Step = tuple[Tensor, Tensor]


def both_ways(own: list[Step]) -> list[tuple[Step, Step]]:
    return [pair for x, y in combinations(own, 2) for pair in ((x, y), (y, x))]


def attended(x: Float[Tensor, "B T D"], y: Float[Tensor, "B T D"], seen: Bool[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
    """(softmax(X Y') Y) * X."""
    scores = torch.bmm(x, y.transpose(1, 2))  # (B, T, T)
    return torch.bmm(masks.softmax(scores, seen.unsqueeze(1).expand_as(scores)), y) * x
