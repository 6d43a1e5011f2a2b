"""The Multimodal Transformer: every modality is told, step by step, by each of the others, whatever their lengths.

Tsai et al., Multimodal Transformer for Unaligned Multimodal Language Sequences, 2019,
https://arxiv.org/abs/1906.00295. A convolution maps each modality to `dim`; scaled by sqrt(dim) and with sinusoids it
is x_m. For each target t and source s != t a stream of `layers` blocks starts as x_t:
x <- x + attention(LN x, LN x_s), x <- x + feedforward(LN x), the keys and values from the same x_s in every layer.
The streams of a target, side by side, pass `memory` blocks of self-attention; pooled and side by side, the targets
pass a residual block y + W_2 relu(W_1 y).

Where we differ from the authors' code: padding is never attended to or read (theirs has no padding mask and reads the
last position, padded or not); nothing is hidden from a step that comes later (theirs hides it unless told otherwise,
the paper does not; `causal` does, as theirs, source step j from target step i where j > i + |T_t - T_s|, with lengths
that are the row's own); `pool: last` reads the last real step, the default is the mean of the real ones.
`paper_faithful: true` is their form in all of this: whatever `causal` and `pool` say, later steps are hidden, lengths
are the batch's, and padding, which is zeros, is attended to and read; so a row's result depends on how long the others
are. Not theirs in either form: every step has its position (theirs lacks one where the first feature is 0); queries
and sources have normalizations of their own; feedforwards have GELU; the convolutions have a bias.

An absent source is not attended to, and its stream stays what its target says; an absent target is a block of zeros.
With `paper_faithful` either is padding throughout, and heard as such. A row without any is absent.
Parameters, with D = dim, P = M - 1 and E = P D: kernel D sum of d_m + M D; M P layers (12 D^2 + 14 D), M P 2 D;
M memory (12 E^2 + 12 E), M 2 E; 2 ((M E)^2 + M E).
"""

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse.fusion.aligned import ends
from mmfuse.fusion.blocks import CrossBlock, SelfBlock
from mmfuse.fusion.vectors import present_in
from mmfuse.shown import shown
from mmfuse.sinusoids import sinusoids
from mmfuse.types import Fusion, Parts, Signal, Signals


class MultFusion(Fusion):
    def __init__(
        self,
        dims: dict[str, int],
        dim: int = 40,
        layers: int = 4,
        memory: int = 3,
        heads: int = 8,
        kernel: int = 1,
        dropout: float = 0.1,
        causal: bool = False,
        pool: Literal["mean", "last"] = "mean",
        paper_faithful: bool = False,
    ):
        super().__init__()
        if len(dims) < 2:
            raise ValueError(f"mult takes two modalities or more, and there is only {list(dims)}")
        if not kernel % 2:
            raise ValueError(f"kernel={kernel}: it has to be odd, so that every step stays where it is")
        targets = {t: [s for s in dims if s != t] for t in dims}
        wide = (len(dims) - 1) * dim
        self.dim = len(dims) * wide
        self.causal = causal or paper_faithful
        self.pool = "last" if paper_faithful else pool
        self.paper_faithful = paper_faithful
        self.convolutions = Parts({m: nn.Conv1d(d, dim, kernel, padding="same") for m, d in dims.items()})
        self.streams = Parts(
            {t: Parts({s: Stream(dim, layers, heads, dropout) for s in sources}) for t, sources in targets.items()}
        )
        self.memories = Parts({t: Memory(wide, memory, heads, dropout) for t in dims})
        self.residual = nn.Sequential(
            nn.Linear(self.dim, self.dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(self.dim, self.dim)
        )

    def forward(self, signals: Signals) -> Signal:
        read = {m: padding_read(signals[m]) if self.paper_faithful else signals[m] for m in self.convolutions}
        inputs = {m: self.mapped(m, s) for m, s in read.items()}
        targets = [self.told(t, inputs) for t in inputs]
        pooled = torch.cat([last(s) if self.pool == "last" else s.pooled() for s in targets], dim=1)  # (B, dim)
        present = present_in(signals, self.convolutions).any(dim=1)  # (B,)
        return Signal.vector(pooled + self.residual(pooled), present)

    def mapped(self, modality: str, signal: Signal) -> Signal:
        real = signal.mask.unsqueeze(-1)  # (B, T, 1)
        given = torch.where(real, signal.data, 0.0).transpose(1, 2)  # (B, D_m, T)
        data = self.convolutions[modality](given).transpose(1, 2)  # (B, T, D)
        data = data * math.sqrt(data.shape[2]) + sinusoids(data.shape[1], data.shape[2], data.device).to(data.dtype)
        return Signal(data * real, signal.mask)  # quicker than where, and no NaN is left

    def told(self, target: str, inputs: Signals) -> Signal:
        """A target's steps after all others have spoken to them, and they to each other."""
        own = inputs[target]
        streams = [
            stream(own.data, inputs[s].data, seen(own.mask, inputs[s].mask, self.causal))  # (B, T, D)
            for s, stream in self.streams[target].items()
        ]
        data = self.memories[target](torch.cat(streams, dim=-1), seen(own.mask, own.mask, self.causal))  # (B, T, E)
        return Signal(data, own.mask)


class Stream(nn.Module):
    """What one modality says to the steps of another."""

    def __init__(self, dim: int, layers: int, heads: int, dropout: float):
        super().__init__()
        self.blocks = nn.ModuleList(CrossBlock(dim, heads, 4 * dim, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(
        self, target: Float[Tensor, "B T D"], source: Float[Tensor, "B S D"], seen: Bool[Tensor, "B #T S"]
    ) -> Float[Tensor, "B T D"]:
        for block in self.blocks:
            target = block(target, source, seen)
        return self.norm(target)


class Memory(nn.Module):
    def __init__(self, dim: int, layers: int, heads: int, dropout: float):
        super().__init__()
        self.blocks = nn.ModuleList(SelfBlock(dim, heads, 4 * dim, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, data: Float[Tensor, "B T E"], seen: Bool[Tensor, "B #T T"]) -> Float[Tensor, "B T E"]:
        for block in self.blocks:
            data = block(data, seen)
        return self.norm(data)


def seen(target: Bool[Tensor, "B T"], source: Bool[Tensor, "B S"], causal: bool) -> Bool[Tensor, "B #T S"]:
    """Which steps of the source each step of the target may read."""
    real = source.unsqueeze(1)  # (B, 1, S)
    if not causal:
        return real
    ahead = (ends(target) - ends(source)).abs()[:, None, None]  # (B, 1, 1)
    steps = [torch.arange(mask.shape[1], device=mask.device) for mask in (target, source)]
    return real & (steps[1] <= steps[0][:, None] + ahead)


def padding_read(signal: Signal) -> Signal:
    """As if all steps were real, zeros where they are not."""
    return Signal(shown(signal.data, signal.mask.unsqueeze(-1)), torch.ones_like(signal.mask))


def last(signal: Signal) -> Float[Tensor, "B D"]:
    """The last real step, and zeros where there is none."""
    place = (ends(signal.mask) - 1).clamp(min=0)
    found = signal.data[torch.arange(place.shape[0], device=place.device), place]  # (B, D)
    return found.masked_fill(~signal.present.unsqueeze(1), 0.0)
