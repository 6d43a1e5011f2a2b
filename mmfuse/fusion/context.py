"""Aligned steps side by side, under a recurrent network that tells each in the light of the others.

The second level of bc-LSTM (Poria et al., Context-Dependent Sentiment Analysis in User-Generated Videos, ACL 2017,
https://aclanthology.org/P17-1081): what the modalities' own contextual networks (encoder=context) say of utterance t is
concatenated and read by another of the same kind, z_t = f(W h_t + b). Of encoders that say of each utterance what it is
by itself, it is the paper's non-hierarchical fusion. There the first level is trained before the second:
objectives=[unimodal_heads] with schedule=pretrain_finetune, schedule.first=[heads/*] and schedule.rate=0.

What comes out are steps, for tasks that label each of them (kind: tokens). An absent modality is zeros at every step,
and so is a step that is missing; a row without any is absent.
Parameters, with g = 4 gates (lstm) or 3 (gru) and w = hidden, or twice that in both directions:
w g (sum of d_m + hidden + 2) + (w + 1) dim.
"""

import torch

from mmfuse.contextual import Activation, Cell, Contextual
from mmfuse.fusion.aligned import Align, aligned
from mmfuse.types import Fusion, Signal, Signals


class ContextFusion(Fusion):
    by_step = True

    def __init__(
        self,
        dims: dict[str, int],
        dim: int = 128,
        hidden: int = 128,
        cell: Cell = "lstm",
        bidirectional: bool = True,
        activation: Activation = "relu",
        dropout_in: float = 0.0,
        dropout: float = 0.5,
        dropout_out: float = 0.0,
        align: Align = "require",
    ):
        super().__init__()
        self.dim = dim
        self.modalities = list(dims)
        self.align = align
        self.context = Contextual(
            sum(dims.values()), dim, hidden, cell, bidirectional, activation, dropout_in, dropout, dropout_out
        )

    def forward(self, signals: Signals) -> Signal:
        steps = aligned(signals, self.modalities, self.align)
        data = torch.cat([s.data for s in steps.values()], dim=2)  # (B, T, sum of D_m)
        mask = torch.stack([s.mask for s in steps.values()]).any(dim=0)  # (B, T)
        return Signal(self.context(data, mask), mask)  # (B, T, dim)
