"""A temporal convolutional network: dilated causal convolutions, so that a step knows of itself and what came before.

Bai, Kolter and Koltun, An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence Modeling,
2018, https://arxiv.org/abs/1803.01271. Steps that are missing or padded are zeros before every convolution, as those
before the first one are.
"""

from itertools import pairwise

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from mmfuse.shown import shown
from mmfuse.types import Encoder, Signal


class TCN(Encoder):
    def __init__(self, size: int, dim: int = 128, layers: int = 4, kernel: int = 3, dropout: float = 0.2):
        """Layer i of 0, 1, ... convolves twice, with taps 2^i steps apart.

        What comes out at a step is made of itself and the 2 (kernel - 1) (2^layers - 1) steps before it: 60 by default.
        """
        super().__init__()
        self.dim = dim
        self.layers = nn.ModuleList(
            Residual(before, after, kernel, 2**i, dropout)
            for i, (before, after) in enumerate(pairwise([size, *[dim] * layers]))
        )

    def forward(self, signal: Signal) -> Signal:
        steps = shown(signal.data, signal.mask.unsqueeze(-1)).transpose(1, 2)  # (B, size, T)
        for layer in self.layers:
            steps = layer(steps, signal.mask)  # (B, dim, T)
        return Signal(steps.transpose(1, 2), signal.mask)


class Residual(nn.Module):
    """Two causal convolutions with normalized weights, relu and dropout of whole channels, added to what came in."""

    def __init__(self, before: int, after: int, kernel: int, dilation: int, dropout: float):
        super().__init__()
        self.behind = (kernel - 1) * dilation  # steps that a convolution looks back
        self.convolve = nn.ModuleList(
            weight_norm(nn.Conv1d(width, after, kernel, padding=self.behind, dilation=dilation))
            for width in (before, after)
        )
        self.finish = nn.Sequential(nn.ReLU(), nn.Dropout1d(dropout))
        self.skip = nn.Conv1d(before, after, 1) if before != after else nn.Identity()

    def forward(self, steps: Float[Tensor, "B C T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B D T"]:
        """Zeros in, and zeros out, where a step is masked."""
        length, hidden = steps.shape[2], ~mask.unsqueeze(1)  # (B, 1, T)
        added = steps
        for convolve in self.convolve:
            added = self.finish(convolve(added)[..., :length]).masked_fill(hidden, 0.0)  # (B, D, T)
        return (self.skip(steps) + added).relu().masked_fill(hidden, 0.0)
