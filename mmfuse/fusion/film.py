"""Feature-wise linear modulation (FiLM): one modality says how much of each feature of another counts.

h = W ((1 + dg) * x + db) + b with (dg, db) = U c + u. Perez et al., FiLM: Visual Reasoning with a General Conditioning
Layer, 2018, https://arxiv.org/abs/1709.07871: c is a question, x is what an image was encoded to, and 1 + dg instead of
g is the paper's advice. There c modulates each channel of a convolution; here x is a vector. Several conditioners
stand side by side in c, and several modalities to be modulated side by side in x.

An absent modality is zeros in c or x; where no conditioner is present, dg = db = 0.
Parameters: (d_c + 1) 2 d_x + (d_x + 1) dim, where d_c and d_x are the widths of c and x.
"""

from collections.abc import Sequence

from torch import nn

from mmfuse.fusion.vectors import side_by_side
from mmfuse.shown import shown
from mmfuse.types import Fusion, Signal, Signals


class FilmFusion(Fusion):
    def __init__(self, dims: dict[str, int], dim: int = 128, conditioner: str | Sequence[str] | None = None):
        super().__init__()
        if len(dims) < 2:
            raise ValueError(f"film takes two modalities or more, one to modulate another, and there is {list(dims)}")
        named = [conditioner] if isinstance(conditioner, str) else conditioner or [list(dims)[-1]]
        self.conditioners = [m for m in dims if m in named]
        self.modulated = [m for m in dims if m not in named]
        if set(named) - set(dims) or not self.modulated:
            raise ValueError(f"conditioner={conditioner}: some, but not all, of {list(dims)} are needed")
        width = sum(dims[m] for m in self.modulated)
        self.dim = dim
        self.condition = nn.Linear(sum(dims[m] for m in self.conditioners), 2 * width)
        self.out = nn.Linear(width, dim)

    def forward(self, signals: Signals) -> Signal:
        vectors, present = side_by_side(signals, [*self.conditioners, *self.modulated])  # (B, D_c + D_x), (B, M)
        c, x = vectors.tensor_split([self.condition.in_features], dim=1)  # (B, D_c), (B, D_x)
        heard = present[:, : len(self.conditioners)].any(dim=1, keepdim=True)  # (B, 1)
        scale, shift = shown(self.condition(c), heard).chunk(2, dim=1)  # (B, D_x) each
        return Signal.vector(self.out((1 + scale) * x + shift), present.any(dim=1))
