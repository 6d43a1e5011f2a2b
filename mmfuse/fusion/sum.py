"""The sum of the modalities present, in a shared space: sum of p_m (W_m z_m + b_m), p_m being 1 where m is present.

An absent modality adds nothing, so rows that lack some are smaller; a row without any is zeros. Over modalities that
are all present this is one linear layer on the concatenation. At the level of predictions it adds logits.
Parameters: sum of (d_m + 1) * dim, or none where all widths agree and `dim` is null.
"""

from mmfuse.fusion.shared_space import SharedSpace
from mmfuse.types import Fusion, Signal, Signals


class SumFusion(Fusion):
    def __init__(self, dims: dict[str, int], dim: int | None = None):
        super().__init__()
        self.space = SharedSpace(dims, dim)
        self.dim = self.space.dim

    def forward(self, signals: Signals) -> Signal:
        mapped, present = self.space(signals)  # (B, M, D), (B, M)
        return Signal(mapped.sum(dim=1, keepdim=True), present.any(dim=1, keepdim=True))
