"""An encoder of pictures on each frame of a film, and something over time behind it. A step for each frame."""

from collections.abc import Callable
from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse.encoders.attention_blocks import Blocks
from mmfuse.recurrent import run_packed
from mmfuse.sinusoids import sinusoids
from mmfuse.types import Encoder, Signal


class Frames(Encoder):
    def __init__(
        self,
        size: int,
        frame: Callable[..., Encoder],
        over_time: Literal["mean", "gru", "transformer"] = "gru",
        layers: int = 1,
        heads: int = 4,
        dropout: float = 0.1,
    ):
        """`frame` is given `size` channels and makes the encoder of a frame, whose places are averaged.

        `over_time` is "gru", bidirectional (Cho et al., 2014, https://arxiv.org/abs/1406.1078), "transformer", that
        knows how late a frame is by sines (Vaswani et al., 2017, https://arxiv.org/abs/1706.03762), or "mean": then
        the frames stay as they are, and who takes a vector takes their mean. What comes out is as wide as a frame.
        """
        super().__init__()
        self.frame = frame(size=size)
        self.dim = self.frame.dim
        if over_time == "gru":
            self.over_time: nn.Module = Recurrent(self.dim, layers, dropout)
        elif over_time == "transformer":
            self.over_time = Attending(self.dim, layers, heads, dropout)
        else:
            self.over_time = AsTheyAre()

    def forward(self, signal: Signal) -> Signal:
        pictures = Signal(signal.data.flatten(0, 1).unsqueeze(1), signal.mask.flatten().unsqueeze(1))
        data = self.frame(pictures).pooled().unflatten(0, signal.mask.shape)  # (B, T, dim)
        return Signal(self.over_time(data, signal.mask), signal.mask)


class AsTheyAre(nn.Module):
    def forward(self, data: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        return data


class Recurrent(nn.Module):
    def __init__(self, dim: int, layers: int, dropout: float):
        super().__init__()
        if dim % 2:
            raise ValueError(f"frame.dim={dim}: each direction makes half of it, so it has to be even")
        between = dropout if layers > 1 else 0.0
        self.rnn = nn.GRU(dim, dim // 2, layers, dropout=between, batch_first=True, bidirectional=True)

    def forward(self, data: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        return run_packed(self.rnn, data, mask)


class Attending(nn.Module):
    def __init__(self, dim: int, layers: int, heads: int, dropout: float):
        super().__init__()
        self.blocks = Blocks(dim, heads, layers, feedforward=4 * dim, dropout=dropout)

    def forward(self, data: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        return self.blocks(data + sinusoids(data.shape[1], data.shape[2], data.device), mask)
