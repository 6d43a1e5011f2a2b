"""Multimodal Tucker Fusion (MUTAN): a bilinear map between projections, its core a sum of a few products.

Ben-younes et al., MUTAN: Multimodal Tucker Fusion for Visual Question Answering, 2017, https://arxiv.org/abs/1705.06676:
W (sum over r of (N_1r x_1 + e_1r) * ... * (N_Mr x_M + e_Mr)) + b, where x_m = tanh(U_m z_m + c_m). That is a full
bilinear map between the x_m, each slice of its core of rank `rank`. The paper has two modalities, tanh, rank 5 and
`inner` 310 to 510; a later code of its authors has no tanh by default. Every linear map here has a bias. More than two
modalities are multiplied alike.

An absent modality's factor N_r is 1 for every r; a row without any is the same vector whatever the row.
Parameters: sum of (d_m + 1) * inner, M * (inner + 1) * rank * inner, and (inner + 1) * dim.
"""

from torch import nn

from mmfuse.fusion.factors import Factors
from mmfuse.types import Fusion, Signal, Signals


class MutanFusion(Fusion):
    def __init__(self, dims: dict[str, int], dim: int = 128, inner: int = 128, rank: int = 5):
        super().__init__()
        self.dim = dim
        self.rank = rank
        self.factors = Factors(
            {m: nn.Sequential(nn.Linear(d, inner), nn.Tanh(), nn.Linear(inner, rank * inner)) for m, d in dims.items()}
        )
        self.read = nn.Linear(inner, dim)

    def forward(self, signals: Signals) -> Signal:
        product, present = self.factors(signals)  # (B, R I), (B,)
        return Signal.vector(self.read(product.unflatten(1, (self.rank, -1)).sum(dim=1)), present)
