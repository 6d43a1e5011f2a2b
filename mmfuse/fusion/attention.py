"""Attention over modalities: a weighted mean in a shared space, each row's weights read off its own features.

h_m = W_m z_m + b_m, a = softmax over the modalities present of e, result sum of a_m h_m. The score e, by `score`:

- shared: e_m = w . tanh(V h_m + c), one scorer for all, which does not know the order of modalities (Bahdanau et al.,
  2015, https://arxiv.org/abs/1409.0473; Yang et al., 2016, https://aclanthology.org/N16-1174);
- concatenated: e = W [z_1; ...; z_M] + c, in which each modality's score depends on all the others.

An absent modality weighs 0 and is zeros to the others' scores; a row without any is zeros.
Parameters: sum of (d_m + 1) * dim, or none where all widths agree and `dim` is null; for scores that are shared
(dim + 2) * hidden more, for concatenated ones (sum of d_m + 1) * M.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse import masks
from mmfuse.fusion.score import Score
from mmfuse.fusion.shared_space import SharedSpace
from mmfuse.fusion.vectors import side_by_side
from mmfuse.types import Fused, Fusion, Signal, Signals


class AttentionFusion(Fusion):
    def __init__(
        self,
        dims: dict[str, int],
        dim: int | None = None,
        score: Literal["shared", "concatenated"] = "shared",
        hidden: int = 64,
    ):
        super().__init__()
        self.space = SharedSpace(dims, dim)
        self.dim = self.space.dim
        self.joint = score == "concatenated"
        self.score: nn.Module = nn.Linear(sum(dims.values()), len(dims)) if self.joint else Score(self.dim, hidden)

    def forward(self, signals: Signals) -> Signal:
        return self.fuse(signals).signal

    def fuse(self, signals: Signals) -> Fused:
        mapped, present = self.space(signals)  # (B, M, D), (B, M)
        weights = self.weights(signals, mapped, present)
        mean = torch.bmm(weights.unsqueeze(1), mapped)  # (B, 1, D)
        return Fused(Signal(mean, present.any(dim=1, keepdim=True)), weights=weights)

    def weights(
        self, signals: Signals, mapped: Float[Tensor, "B M D"], present: Bool[Tensor, "B M"]
    ) -> Float[Tensor, "B M"]:
        read = side_by_side(signals, self.space.maps)[0] if self.joint else mapped
        return masks.softmax(self.score(read), present)
