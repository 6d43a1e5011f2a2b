"""One linear map a modality into a space that all share, which is what fusions that add need.

Where all have one width already and no other is asked for, nothing is mapped.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse.fusion.vectors import present_in, stacked
from mmfuse.types import Parts, Signals


class SharedSpace(nn.Module):
    """`dim` None: the modalities as they are where their widths agree, else mapped to the widest."""

    def __init__(self, dims: dict[str, int], dim: int | None):
        super().__init__()
        self.dim = max(dims.values()) if dim is None else dim
        self.as_they_are = dim is None and len(set(dims.values())) == 1
        self.maps = Parts({m: nn.Identity() if self.as_they_are else nn.Linear(d, self.dim) for m, d in dims.items()})

    def forward(self, signals: Signals) -> tuple[Float[Tensor, "B M D"], Bool[Tensor, "B M"]]:
        """Every modality's vector, zeros where it is absent, and whether it is present."""
        if self.as_they_are:
            return stacked(signals, self.maps)
        present = present_in(signals, self.maps)  # (B, M)
        mapped = torch.stack([to_space(signals[m].pooled()) for m, to_space in self.maps.items()], dim=1)  # (B, M, D)
        return torch.where(present.unsqueeze(-1), mapped, 0.0), present
