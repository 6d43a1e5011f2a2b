"""One modality gates the others: W (sigmoid(U x) * sum of V_y y), which is not the same the other way round.

Kiela et al., Efficient Large-Scale Multi-Modal Classification, 2018, https://arxiv.org/abs/1802.02892: x gates y, of
two modalities, and W is the classifier. Of more, one gates the sum of the others here. No biases, as in the paper.

An absent modality is left out of the sum; either factor is 1 where nothing is present that it is made from.
Parameters: (sum of d_m) dim + dim^2.
"""

from functools import reduce

import torch
from torch import nn

from mmfuse.fusion.vectors import present_in
from mmfuse.shown import shown
from mmfuse.types import Fusion, Parts, Signal, Signals


class SigmoidGateFusion(Fusion):
    def __init__(self, dims: dict[str, int], dim: int = 128, gate: str | None = None):
        super().__init__()
        if len(dims) < 2:
            raise ValueError(f"sigmoid_gate takes two modalities or more, one to gate another: there is {list(dims)}")
        self.gate_by = list(dims)[-1] if gate is None else gate
        if self.gate_by not in dims:
            raise ValueError(f"gate={gate}: one of {list(dims)} is needed")
        self.dim = dim
        self.gate = nn.Linear(dims[self.gate_by], dim, bias=False)
        self.speak = Parts({m: nn.Linear(d, dim, bias=False) for m, d in dims.items() if m != self.gate_by})
        self.out = nn.Linear(dim, dim, bias=False)

    def forward(self, signals: Signals) -> Signal:
        gating = signals[self.gate_by].present  # (B,)
        gated = present_in(signals, self.speak).any(dim=1)  # (B,)
        gate = shown(self.gate(signals[self.gate_by].pooled()).sigmoid(), gating[:, None], 1.0)  # (B, D)
        spoken = reduce(torch.add, [speak(signals[m].pooled()) for m, speak in self.speak.items()])  # (B, D)
        return Signal.vector(self.out(gate * shown(spoken, gated[:, None], 1.0)), gating | gated)
