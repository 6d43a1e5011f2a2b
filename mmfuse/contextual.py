"""Each step in the light of the others of its row: a recurrent network over the steps, and a dense layer on each.

The contextual LSTM of Poria et al., Context-Dependent Sentiment Analysis in User-Generated Videos, ACL 2017,
https://aclanthology.org/P17-1081, whose steps are the utterances of a video: z_t = f(W h_t + b), with h_t from an LSTM
in both directions (bc-LSTM) or in one (sc-LSTM); without the dense layer it is h-LSTM. Padding is never read.

Parameters, with g = 4 gates (lstm) or 3 (gru) and w = hidden, or twice that in both directions:
w g (size + hidden + 2) and, with a dense layer, (w + 1) dim.
"""

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse.recurrent import run_packed

Cell = Literal["lstm", "gru"]
Activation = Literal["tanh", "relu"]


class Contextual(nn.Module):
    def __init__(
        self,
        size: int,
        dim: int | None = 128,
        hidden: int = 128,
        cell: Cell = "lstm",
        bidirectional: bool = True,
        activation: Activation = "relu",
        dropout_in: float = 0.0,
        dropout: float = 0.5,
        dropout_out: float = 0.0,
    ):
        """`hidden` units a direction. Hidden in training: of what is read, before the dense layer, and after it."""
        super().__init__()
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[cell]
        self.rnn = kind(size, hidden, batch_first=True, bidirectional=bidirectional)
        wide = 2 * hidden if bidirectional else hidden
        self.dim = wide if dim is None else dim
        function = {"tanh": nn.Tanh, "relu": nn.ReLU}[activation]
        self.dense = nn.Identity() if dim is None else nn.Sequential(nn.Linear(wide, dim), function())
        self.drop_in, self.drop, self.drop_out = nn.Dropout(dropout_in), nn.Dropout(dropout), nn.Dropout(dropout_out)

    def forward(self, data: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T E"]:
        said = run_packed(self.rnn, self.drop_in(data), mask)  # (B, T, W)
        return self.drop_out(self.dense(self.drop(said)))
