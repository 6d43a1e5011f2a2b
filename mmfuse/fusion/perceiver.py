"""Perceiver: a few learned latents read all steps of all modalities, think, and read again.

Jaegle et al., Perceiver: General Perception with Iterative Attention, 2021, https://arxiv.org/abs/2103.03206.
`depth` times: latents <- cross-attention to every real step (one head, as in the paper), feedforward, then `thinking`
transformer blocks among the latents. Last their mean, a normalization, a linear layer. Time grows with the number of
steps and not with its square. The paper appends Fourier features to the steps; here sinusoids are added, and the bias
of a modality's map is its embedding. Each time has weights of its own; the paper may share them.

An absent modality is not read. A row without any is absent, whatever its latents say to each other.
Parameters: sum of (d_m + 1) * dim, latents * dim, with u = 2 dim * feedforward + feedforward
depth * (4 dim^2 + 10 dim + u + thinking (4 dim^2 + 8 dim + u)), and dim^2 + 3 dim.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmfuse.fusion.blocks import CrossBlock, SelfBlock
from mmfuse.fusion.step_space import StepSpace, joined
from mmfuse.types import Fusion, Signal, Signals


class PerceiverFusion(Fusion):
    def __init__(
        self,
        dims: dict[str, int],
        dim: int = 64,
        latents: int = 16,
        depth: int = 2,
        thinking: int = 1,
        heads: int = 4,
        feedforward: int = 128,
        dropout: float = 0.1,
        positions: bool = True,
    ):
        super().__init__()
        self.dim = dim
        self.space = StepSpace(dims, dim, positions)
        self.latents = nn.Parameter(torch.randn(latents, dim) * 0.02)
        self.rounds = nn.ModuleList(Round(dim, thinking, heads, feedforward, dropout) for _ in range(depth))
        self.out = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim))

    def forward(self, signals: Signals) -> Signal:
        steps = joined(self.space(signals))  # (B, S, D)
        latents = self.latents.expand(steps.data.shape[0], -1, -1)  # (B, N, D)
        for each in self.rounds:
            latents = each(latents, steps)
        return Signal.vector(self.out(latents.mean(dim=1)), steps.present)


class Round(nn.Module):
    """Latents read all steps, and then each other."""

    def __init__(self, dim: int, thinking: int, heads: int, feedforward: int, dropout: float):
        super().__init__()
        self.read = CrossBlock(dim, 1, feedforward, dropout)
        self.think = nn.ModuleList(SelfBlock(dim, heads, feedforward, dropout) for _ in range(thinking))

    def forward(self, latents: Float[Tensor, "B N D"], steps: Signal) -> Float[Tensor, "B N D"]:
        latents = self.read(latents, steps.data, steps.mask.unsqueeze(1))
        everyone = torch.ones_like(latents[:, None, :, 0], dtype=torch.bool)  # (B, 1, N)
        for block in self.think:
            latents = block(latents, everyone)
        return latents
