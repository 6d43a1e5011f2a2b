"""CATF-LSTM: attention over the modalities of each step, and then over the steps of the row.

Poria et al., Multi-level Multiple Attentions for Contextual Multimodal Sentiment Analysis, ICDM 2017,
https://doi.org/10.1109/ICDM.2017.134. A dense layer with tanh takes each modality to one width, B_t = [b_1, ..., b_M];
AT-Fusion weighs them, P = tanh(W B_t + c), a = softmax(w . P), F_t = B_t a; an LSTM runs over F, and each of its steps
reads all of them by an attention of its own place (CAT-LSTM, mmfuse/step_attention.py). The paper's W has no c, and it
trains CAT-LSTMs of single modalities before: encoder=cat_lstm, with objectives and schedule as for fusion=context.

What comes out are steps. An absent modality weighs 0, at every step or at those that it lacks; a row without any is
absent. Parameters, with u = dim: sum of (d_m + 1) u + (u + 2) u + 8 u (u + 1) + longest (3 u^2 + u).
"""

import torch
from torch import nn

from mmfuse import masks
from mmfuse.fusion.aligned import Align, aligned
from mmfuse.fusion.score import Score
from mmfuse.fusion.step_space import StepSpace
from mmfuse.recurrent import run_packed
from mmfuse.step_attention import StepAttention
from mmfuse.types import Fused, Fusion, Signal, Signals


class CatfFusion(Fusion):
    by_step = True

    def __init__(
        self,
        dims: dict[str, int],
        dim: int = 64,
        longest: int = 64,
        dropout_in: float = 0.0,
        dropout: float = 0.5,
        align: Align = "require",
    ):
        """`longest` is how many places have an attention of their own."""
        super().__init__()
        self.dim = dim
        self.align = align
        self.space = StepSpace(dims, dim)
        self.score = Score(dim, dim)
        self.rnn = nn.LSTM(dim, dim, batch_first=True)
        self.attend = StepAttention(dim, longest)
        self.drop_in, self.drop = nn.Dropout(dropout_in), nn.Dropout(dropout)

    def forward(self, signals: Signals) -> Signal:
        return self.fuse(signals).signal

    def fuse(self, signals: Signals) -> Fused:
        steps = self.space(aligned(signals, list(self.space.maps), self.align))
        data = torch.stack([s.data.tanh() for s in steps.values()], dim=2)  # (B, T, M, D)
        there = torch.stack([s.mask for s in steps.values()], dim=2)  # (B, T, M)
        weights = masks.softmax(self.score(data), there)  # (B, T, M)
        mixed = torch.einsum("btm,btmd->btd", weights, data)
        mask = there.any(dim=2)  # (B, T)
        said = self.drop(run_packed(self.rnn, self.drop_in(mixed), mask))  # (B, T, D)
        mean = weights.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)  # (B, M)
        return Fused(Signal(self.attend(said, mask), mask), weights=mean)
