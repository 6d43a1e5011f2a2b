"""Multimodal Adaptation Gate (MAG): other modalities nudge an anchor, never further than a share of its own length.

g_m = relu(G_m [x_m; t] + c_m), H = sum of g_m * W_m x_m + b, a = min(beta |t| / |H|, 1), out = LayerNorm(t + a H).
Rahman et al., Integrating Multimodal Information in Large Pretrained Transformers, 2020,
https://arxiv.org/abs/1908.05787: t is a word as BERT has it, the others are heard and seen while it is said. The
authors' code has a bias in each W_m in place of the one b. Adapted is the anchor's mean, or with `aligned` each of its
steps, for which all sequences have to be aligned word by word (dataset.align=require checks every row).

An absent modality, or step, is left out of H; where none is present there is no b either, and out = LayerNorm(t). An
absent anchor is t = 0, which nothing can be added to: what comes out is then a constant.
Parameters: sum over the others of (2 d_m + d_t + 1) d_t, and 3 d_t.
"""

from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmfuse.shown import shown
from mmfuse.types import Fusion, Parts, Signal, Signals


class MagFusion(Fusion):
    def __init__(
        self,
        dims: dict[str, int],
        anchor: str | None = None,
        beta: float = 1.0,
        dropout: float = 0.5,
        aligned: bool = False,
    ):
        super().__init__()
        if len(dims) < 2:
            raise ValueError(f"mag takes two modalities or more, one for others to adapt, and there is {list(dims)}")
        self.anchor = next(iter(dims)) if anchor is None else anchor
        if self.anchor not in dims:
            raise ValueError(f"anchor={anchor}: one of {list(dims)} is needed")
        self.dim = dims[self.anchor]
        if self.dim < 2:
            raise ValueError(f"anchor={self.anchor}: it is one number, of which LayerNorm leaves nothing; fusion=film")
        self.beta, self.aligned = beta, aligned
        others = {m: d for m, d in dims.items() if m != self.anchor}
        self.gates = Parts({m: nn.Linear(d + self.dim, self.dim) for m, d in others.items()})
        self.maps = Parts({m: nn.Linear(d, self.dim, bias=False) for m, d in others.items()})
        self.bias = nn.Parameter(torch.zeros(self.dim))
        self.finish = nn.Sequential(nn.LayerNorm(self.dim), nn.Dropout(dropout))

    def forward(self, signals: Signals) -> Signal:
        known = {m: signals[m] for m in (self.anchor, *self.gates)}
        known = aligned(known) if self.aligned else {m: zeroed(mean(s)) for m, s in known.items()}
        t = known[self.anchor].data  # (B, T, D)
        adapted = t + self.nudge(t, known)
        mask = reduce(torch.logical_or, [s.mask for s in known.values()])  # (B, T)
        return Signal(shown(self.finish(adapted), mask.unsqueeze(-1)), mask)

    def nudge(self, t: Float[Tensor, "B T D"], known: Signals) -> Float[Tensor, "B T D"]:
        """a H, which is nowhere longer than beta |t|."""
        heard = reduce(torch.logical_or, [known[m].mask for m in self.gates]).unsqueeze(-1)  # (B, T, 1)
        pushes = [
            gate(torch.cat([known[m].data, t], dim=-1)).relu() * self.maps[m](known[m].data)
            for m, gate in self.gates.items()
        ]  # each (B, T, D), zeros where the modality is
        push = shown(reduce(torch.add, pushes) + self.bias, heard)
        room = self.beta * t.norm(dim=-1, keepdim=True) / (push.norm(dim=-1, keepdim=True) + 1e-6)  # (B, T, 1)
        return room.clamp(max=1.0) * push


def mean(signal: Signal) -> Signal:
    """Of its real steps, in one step."""
    return signal if signal.mask.shape[1] == 1 else Signal.vector(signal.pooled(), signal.present)


def zeroed(signal: Signal) -> Signal:
    """Zeros where it is masked."""
    return Signal(shown(signal.data, signal.mask.unsqueeze(-1)), signal.mask)


def aligned(signals: Signals) -> Signals:
    """As many steps of each, zeros where one is masked."""
    check_aligned(signals)
    steps = max(s.mask.shape[1] for s in signals.values())
    return {m: widened(zeroed(s), steps) for m, s in signals.items()}


def widened(signal: Signal, steps: int) -> Signal:
    more = steps - signal.mask.shape[1]
    return Signal(
        nn.functional.pad(signal.data, (0, 0, 0, more)), nn.functional.pad(signal.mask, (0, more), value=False)
    )


def check_aligned(signals: Signals) -> None:
    """A modality that a whole batch lacks may have any number of steps: none is real."""
    if torch.compiler.is_compiling() or len({s.mask.shape[1] for s in signals.values()}) == 1:
        return  # an exported model cannot raise by what a row holds
    steps = {m: s.mask.shape[1] for m, s in signals.items() if s.mask.any()}
    if len(set(steps.values())) > 1:
        raise ValueError(f"aligned=true: as many steps of each modality are needed, but there are {steps}")
