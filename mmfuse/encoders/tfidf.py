"""A linear map of tf-idf weights: each term has a vector, and a text the sum of its terms' by their weights.

What the classical baseline of text classification feeds to a linear classifier (Joachims, Text Categorization with
Support Vector Machines, 1998, https://doi.org/10.1007/BFb0026683), narrowed to `dim` features so that it can be fused.
"""

import torch
import torch.nn.functional as F
from torch import nn

from mmfuse.errors import ConfigError
from mmfuse.shown import shown
from mmfuse.types import Encoder, Signal


class Tfidf(Encoder):
    def __init__(self, size: int, dim: int = 128):
        """`size` terms. A text's weights have a norm of 1, so that features start with a spread of 1."""
        super().__init__()
        self.dim = dim
        self.terms = nn.Embedding(size, dim)
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, signal: Signal) -> Signal:
        """Pairs (B, T, 2) of a term's number and its weight -> a vector."""
        if signal.data.dtype in (torch.float16, torch.bfloat16):
            raise ConfigError(
                f"tf-idf's terms cannot be numbered in {signal.data.dtype}"
                "\n  to go on: trainer.precision=32-true, or bf16-mixed"
            )
        pairs = shown(signal.data, signal.mask.unsqueeze(-1))  # (B, T, 2)
        weights = pairs[..., 1].to(self.terms.weight.dtype)  # (B, T)
        text = F.embedding_bag(pairs[..., 0].long(), self.terms.weight, per_sample_weights=weights, mode="sum")
        return Signal.vector(text + self.bias, signal.present)
