"""Multimodal Low-rank Bilinear pooling: P (tanh(U_1 z_1 + c_1) * ... * tanh(U_M z_M + c_M)) + b, elementwise.

Kim et al., Hadamard Product for Low-rank Bilinear Pooling, 2017, https://arxiv.org/abs/1610.04325. The paper has two
modalities, tanh and `inner` 1200, for questions about images; a widespread implementation has relu by default. More
than two are multiplied alike. What comes out may go through an activation, too (`after`), which the paper has not.

An absent modality's factor is 1, so the others are read as if it had never been; a row without any is P 1 + b.
Parameters: sum of (d_m + 1) * inner, and (inner + 1) * dim.
"""

from typing import Literal

from torch import nn

from mmfuse.fusion.factors import Factors
from mmfuse.types import Fusion, Signal, Signals

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "none": nn.Identity}


class MlbFusion(Fusion):
    def __init__(
        self,
        dims: dict[str, int],
        dim: int = 128,
        inner: int = 256,
        activation: Literal["tanh", "relu", "none"] = "tanh",
        after: Literal["tanh", "relu", "none"] = "none",
    ):
        super().__init__()
        self.dim = dim
        maps = {m: nn.Sequential(nn.Linear(d, inner), ACTIVATIONS[activation]()) for m, d in dims.items()}
        self.factors = Factors(maps)
        self.read = nn.Linear(inner, dim)
        self.after = ACTIVATIONS[after]()

    def forward(self, signals: Signals) -> Signal:
        product, present = self.factors(signals)  # (B, I), (B,)
        return Signal.vector(self.after(self.read(product)), present)
