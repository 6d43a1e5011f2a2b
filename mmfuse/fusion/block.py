"""Bilinear superdiagonal fusion (BLOCK): projections cut into chunks, and in each chunk a bilinear map of low rank.

Ben-younes et al., BLOCK: Bilinear Superdiagonal Fusion for Visual Question Answering and Visual Relationship Detection,
2019, https://arxiv.org/abs/1902.00038: x_m = U_m z_m + c_m, cut into `chunks` pieces; of each piece, sum over r of
(N_1r x_1 + e_1r) * ... * (N_Mr x_M + e_Mr), as wide as it; then signed roots and length 1, piece by piece;
W of all pieces + b. The paper has two modalities, `inner` 1600, 20 chunks and rank 15. More are multiplied alike. Every
linear map has a bias.

An absent modality's factors are 1, so the others are read as if it had never been; a row without any is a constant.
Parameters: sum of (d_m + 1) * inner, M * (inner / chunks + 1) * rank * inner, and (inner + 1) * dim.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmfuse.fusion.factors import Factors
from mmfuse.fusion.power_norm import power_norm
from mmfuse.types import Fusion, Signal, Signals


class BlockFusion(Fusion):
    def __init__(self, dims: dict[str, int], dim: int = 128, inner: int = 320, chunks: int = 20, rank: int = 15):
        super().__init__()
        if inner % chunks:
            raise ValueError(
                f"inner={inner}: it is cut into chunks={chunks} pieces, so it has to be a multiple of that"
            )
        self.dim = dim
        self.chunks = chunks
        self.rank = rank
        self.factors = Factors(
            {m: nn.Sequential(nn.Linear(d, inner), ChunkedLinear(chunks, inner, rank * inner)) for m, d in dims.items()}
        )
        self.read = nn.Linear(inner, dim)

    def forward(self, signals: Signals) -> Signal:
        product, present = self.factors(signals)  # (B, C R W), (B,)
        pieces = product.unflatten(1, (self.chunks, self.rank, -1)).sum(dim=2)  # (B, C, W)
        return Signal.vector(self.read(power_norm(pieces).flatten(1)), present)


class ChunkedLinear(nn.Module):
    """A linear layer for each chunk of a vector: a block-diagonal one."""

    def __init__(self, chunks: int, inputs: int, outputs: int):
        super().__init__()
        self.chunks = chunks
        bound = (inputs // chunks) ** -0.5  # as nn.Linear has it
        self.weight = nn.Parameter(torch.empty(chunks, inputs // chunks, outputs // chunks).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(chunks, outputs // chunks).uniform_(-bound, bound))

    def forward(self, x: Float[Tensor, "B I"]) -> Float[Tensor, "B O"]:
        return (torch.einsum("bci,cio->bco", x.unflatten(1, (self.chunks, -1)), self.weight) + self.bias).flatten(1)
