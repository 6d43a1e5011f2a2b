"""Attention bottlenecks: modalities meet only in a few tokens that all of them read and write.

Nagrani et al., Attention Bottlenecks for Multimodal Fusion, 2021, https://arxiv.org/abs/2107.00135. The first
`separate` layers are a transformer block of each modality over its own steps. In the layers after that each modality
reads the same tokens F: [x_m; F_m] <- block_m([x_m; F]), and then F <- mean of F_m. What one modality writes, another
reads in the layer after, so two such layers are the fewest. Last a normalization, the mean of the real steps of each
modality, and the mean of the modalities, which is the paper's mean of logits where the head is linear. The paper's
12 layers, 8 of them separate, are of size 768; these defaults are for features that encoders made.

An absent modality writes nothing: F is the mean over those present. A row without any is zeros.
Parameters: sum of (d_m + 1) * dim, M * layers * (4 dim^2 + 2 dim * feedforward + 8 dim + feedforward),
tokens * dim, and 2 dim.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmfuse.fusion.blocks import SelfBlock
from mmfuse.fusion.step_space import StepSpace, mean_of_present
from mmfuse.types import Fusion, Parts, Signal, Signals


class BottleneckFusion(Fusion):
    def __init__(
        self,
        dims: dict[str, int],
        dim: int = 64,
        layers: int = 3,
        separate: int = 1,
        tokens: int = 4,
        heads: int = 4,
        feedforward: int = 128,
        dropout: float = 0.1,
    ):
        super().__init__()
        if layers - separate < 2:
            raise ValueError(
                f"layers={layers}, separate={separate}: it takes two layers with the bottleneck for one modality to "
                f"hear another, so separate={max(0, layers - 2)} at most, or layers={separate + 2} at least"
            )
        self.dim = dim
        self.separate = separate
        self.space = StepSpace(dims, dim, positions=True)
        self.layers = layers
        self.blocks = Parts(
            {m: nn.ModuleList(SelfBlock(dim, heads, feedforward, dropout) for _ in range(layers)) for m in dims}
        )
        self.tokens = nn.Parameter(torch.randn(tokens, dim) * 0.02)
        self.norm = nn.LayerNorm(dim)

    def forward(self, signals: Signals) -> Signal:
        return mean_of_present({m: Signal(self.norm(s.data), s.mask) for m, s in self.steps(signals).items()})

    def steps(self, signals: Signals) -> Signals:
        """(B, T_m, D) each, after all layers."""
        steps = self.space(signals)
        shared = self.tokens.expand(next(iter(steps.values())).data.shape[0], -1, -1)  # (B, F, D)
        for number in range(self.layers):
            read = shared if number >= self.separate else shared[:, :0]
            both = {m: beside(self.blocks[m][number], steps[m], read) for m in steps}  # each (B, T_m + F, D)
            steps = {m: Signal(both[m][:, : s.mask.shape[1]], s.mask) for m, s in steps.items()}
            if number >= self.separate:
                shared = self.agreed(shared, {m: both[m][:, s.mask.shape[1] :] for m, s in steps.items()}, steps)
        return steps

    def agreed(
        self, before: Float[Tensor, "B F D"], written: Mapping[str, Float[Tensor, "B F D"]], steps: Signals
    ) -> Float[Tensor, "B F D"]:
        """The mean of what those present wrote, all of whom read the same."""
        present = torch.stack([s.present for s in steps.values()], dim=1)[:, :, None, None]  # (B, M, 1, 1)
        total = torch.stack(list(written.values()), dim=1).masked_fill(~present, 0.0).sum(dim=1)  # (B, F, D)
        return torch.where(present.any(dim=1), total / present.sum(dim=1).clamp(min=1), before)


def beside(block: nn.Module, steps: Signal, tokens: Float[Tensor, "B F D"]) -> Float[Tensor, "B S D"]:
    """A block over the real steps and the tokens, S of them together."""
    real = torch.ones_like(tokens[..., 0], dtype=torch.bool)  # (B, F)
    seen = torch.cat([steps.mask, real], dim=1).unsqueeze(1)  # (B, 1, S)
    return block(torch.cat([steps.data, tokens], dim=1), seen)
