"""Two layers over a table's row, in which each column of categories has an embedding of its own.

Guo and Berkhahn, Entity Embeddings of Categorical Variables, 2016, https://arxiv.org/abs/1604.06737. Numbers go in as
they are. A category that is missing, or that no training row has, is the zero vector.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn

from mmfuse.encoders.mlp import MLP
from mmfuse.shown import shown
from mmfuse.types import Encoder, Signal


class EmbedMLP(Encoder):
    def __init__(
        self,
        size: int,
        columns: Sequence[tuple[str, int]],
        dim: int = 128,
        embedding: int | None = None,
        dropout: float = 0.1,
    ):
        """`columns` are of "number" or "category", each with how many of the `size` features are its own, in order.

        `embedding` is the width of a category; None: half as many as the column has, rounded up, and 50 at most.
        """
        super().__init__()
        self.dim = dim
        self.widths = [width for _, width in columns]
        if sum(self.widths) != size:
            raise ValueError(f"columns={list(columns)} have {sum(self.widths)} features, and not size={size}")
        embedded = [
            embedding or min(50, math.ceil(width / 2)) if kind == "category" else width for kind, width in columns
        ]
        self.columns = nn.ModuleList(
            nn.Linear(width, wide, bias=False) if kind == "category" else nn.Identity()
            for (kind, width), wide in zip(columns, embedded, strict=True)
        )
        for column in self.columns:
            if isinstance(column, nn.Linear):
                nn.init.normal_(column.weight)  # as nn.Embedding has it; a layer's start shrinks with its categories
        self.mlp = MLP(sum(embedded), dim, dropout)

    def forward(self, signal: Signal) -> Signal:
        features = shown(signal.data, signal.mask.unsqueeze(-1)).split(self.widths, dim=-1)
        embedded = [column(each) for column, each in zip(self.columns, features, strict=True)]
        return self.mlp(Signal(torch.cat(embedded, dim=-1), signal.mask))  # (B, T, dim)
