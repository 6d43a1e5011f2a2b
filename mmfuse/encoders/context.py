"""A sequence's steps in the light of each other, such as the utterances of a video: mmfuse/contextual.py.

Poria et al., Context-Dependent Sentiment Analysis in User-Generated Videos, ACL 2017,
https://aclanthology.org/P17-1081. `bidirectional` is bc-LSTM, one direction sc-LSTM, and `dim` null is h-LSTM.
"""

from mmfuse.contextual import Activation, Cell, Contextual
from mmfuse.types import Encoder, Signal


class Context(Encoder):
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
        super().__init__()
        self.context = Contextual(size, dim, hidden, cell, bidirectional, activation, dropout_in, dropout, dropout_out)
        self.dim = self.context.dim

    def forward(self, signal: Signal) -> Signal:
        return Signal(self.context(signal.data, signal.mask), signal.mask)  # (B, T, dim)
