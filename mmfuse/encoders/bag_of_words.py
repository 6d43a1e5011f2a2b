"""Which words a text has, in any order, under one layer: tanh(W x + b), x_w = 1 where the text has the word w.

The question's side of easy-VQA (Zhou, 2019, https://github.com/vzhou842/easy-VQA-keras). A word that comes twice counts
once, unless `counts`; one that training texts don't have counts for nothing. Weights start as Keras has them, by
Glorot and Bengio, 2010, https://proceedings.mlr.press/v9/glorot10a, and biases at 0.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmfuse.types import Encoder, Signal

KEPT = 2  # numbers of no word: padding, and all that are unknown


class BagOfWords(Encoder):
    def __init__(self, size: int, dim: int = 128, counts: bool = False, vectors: Float[Tensor, "S W"] | None = None):
        super().__init__()
        if vectors is not None:
            raise ValueError("words have no vectors of their own here: prepare.vectors=null, or the encoder bag")
        self.dim, self.size, self.counts = dim, size, counts
        self.layer = nn.Linear(size, dim)
        nn.init.xavier_uniform_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)

    def forward(self, signal: Signal) -> Signal:
        words = signal.data.masked_fill(~signal.mask, 0)  # (B, T)
        often = self.layer.weight.new_zeros(len(words), self.size)  # (B, size)
        often = often.scatter_add(1, words, torch.ones_like(words, dtype=often.dtype))
        often[:, :KEPT] = 0.0
        if not self.counts:
            often = often.clamp(max=1.0)
        return Signal.vector(torch.tanh(self.layer(often)), signal.present)
