"""Concatenation, the baseline that every other fusion has to beat: relu(W [z_1; ...; z_M] + b), then dropout.

Modalities stand in the data set's order, never the alphabet's. An absent one is a block of zeros.
Parameters: (sum of d_m + 1) * dim.
"""

from torch import nn

from mmfuse.fusion.vectors import side_by_side
from mmfuse.types import Fusion, Signal, Signals


class ConcatFusion(Fusion):
    def __init__(self, dims: dict[str, int], dim: int = 128, dropout: float = 0.1):
        super().__init__()
        self.dim = dim
        self.modalities = list(dims)
        self.mix = nn.Sequential(nn.Linear(sum(dims.values()), dim), nn.ReLU(), nn.Dropout(dropout))

    def forward(self, signals: Signals) -> Signal:
        vectors, present = side_by_side(signals, self.modalities)  # (B, sum of D_m), (B, M)
        return Signal.vector(self.mix(vectors), present.any(dim=1))
