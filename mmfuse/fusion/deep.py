"""A joint network over the concatenated hidden layers: [z_1; ...; z_M] through several layers of relu(W h + b).

Ngiam et al., Multimodal Deep Learning, 2011, https://icml.cc/2011/papers/399_icmlpaper.pdf: what modalities have in
common is found above each one's own hidden layers. With one layer it is concat. An absent modality is a block of zeros.
Parameters: (sum of d_m + 1) dim + (layers - 1) (dim + 1) dim.
"""

from torch import nn

from mmfuse.fusion.vectors import side_by_side
from mmfuse.types import Fusion, Signal, Signals


class DeepFusion(Fusion):
    def __init__(self, dims: dict[str, int], dim: int = 128, layers: int = 2, dropout: float = 0.1):
        super().__init__()
        self.dim = dim
        self.modalities = list(dims)
        widths = [sum(dims.values()), *[dim] * (layers - 1)]
        self.joint = nn.Sequential(
            *[nn.Sequential(nn.Linear(width, dim), nn.ReLU(), nn.Dropout(dropout)) for width in widths]
        )

    def forward(self, signals: Signals) -> Signal:
        vectors, present = side_by_side(signals, self.modalities)  # (B, sum of D_m), (B, M)
        return Signal.vector(self.joint(vectors), present.any(dim=1))
