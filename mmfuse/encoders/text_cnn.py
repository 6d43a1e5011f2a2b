"""Filters over windows of words, and the strongest answer of each.

Kim, Convolutional Neural Networks for Sentence Classification, 2014, https://arxiv.org/abs/1408.5882: windows of 3, 4
and 5 words, 100 filters each, relu, the maximum over the text, dropout of a half. Windows lie within a text's own
words; one that is shorter than a window is filled up with zeros to its width. There is no bound on the weights' norm,
and one channel, whose vectors stay or `learn`: CNN-static and CNN-non-static there.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mmfuse.encoders.word_embedding import word_embedding
from mmfuse.types import Encoder, Signal


class TextCNN(Encoder):
    def __init__(
        self,
        size: int,
        widths: Sequence[int] = (3, 4, 5),
        filters: int = 100,
        embedding: int = 128,
        dropout: float = 0.5,
        learn: bool = True,
        vectors: Float[Tensor, "S W"] | None = None,
    ):
        """`size` words of `embedding` features each, or of as many as `vectors` have.

        A feature comes out for each filter.
        """
        super().__init__()
        if not widths:
            raise ValueError("widths=[]: a window is needed")
        self.dim, self.widths = filters * len(widths), list(widths)
        self.embed = word_embedding(size, embedding, vectors, learn)
        self.windows = nn.ModuleList(nn.Conv1d(self.embed.embedding_dim, filters, width) for width in widths)
        self.dropout = nn.Dropout(dropout)

    def forward(self, signal: Signal) -> Signal:
        mask = signal.mask
        words = self.embed(signal.data.masked_fill(~mask, 0)).masked_fill(~mask.unsqueeze(-1), 0.0)  # (B, T, E)
        lengths = (mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)).amax(dim=1)  # (B,)
        words = F.pad(words.transpose(1, 2), (0, max(self.widths) - 1))  # (B, E, T + widest - 1)
        strongest = [over(f(words), lengths - w) for f, w in zip(self.windows, self.widths, strict=True)]  # (B, F) each
        return Signal.vector(self.dropout(torch.cat(strongest, dim=1).relu()), signal.present)  # (B, 1, dim)


def over(answers: Float[Tensor, "B F W"], last: Tensor) -> Float[Tensor, "B F"]:
    """The maximum over each text's windows, of which `last` (B,) is where the last one starts, or the first does."""
    starts = torch.arange(answers.shape[2], device=answers.device)  # (W,)
    beyond = starts > last.clamp(min=0)[:, None]  # (B, W)
    return answers.masked_fill(beyond.unsqueeze(1), -torch.inf).amax(dim=2)
