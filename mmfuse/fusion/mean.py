"""The mean of the modalities present, in a shared space: sum of p_m (W_m z_m + b_m) over sum of p_m.

An absent modality is left out of the mean; a row without any is zeros. At the level of predictions it averages logits.
Parameters: sum of (d_m + 1) * dim, or none where all widths agree and `dim` is null.
"""

from mmfuse.fusion.shared_space import SharedSpace
from mmfuse.types import Fusion, Signal, Signals


class MeanFusion(Fusion):
    def __init__(self, dims: dict[str, int], dim: int | None = None):
        super().__init__()
        self.space = SharedSpace(dims, dim)
        self.dim = self.space.dim

    def forward(self, signals: Signals) -> Signal:
        mapped, present = self.space(signals)  # (B, M, D), (B, M)
        number = present.sum(dim=1).clamp(min=1)[:, None, None]  # (B, 1, 1)
        return Signal(mapped.sum(dim=1, keepdim=True) / number, present.any(dim=1, keepdim=True))
