"""CAT-LSTM: an LSTM over the steps, each of which then reads all of them by attention of its own place.

Poria et al., Multi-level Multiple Attentions for Contextual Multimodal Sentiment Analysis, ICDM 2017,
https://doi.org/10.1109/ICDM.2017.134; the attention in mmfuse/step_attention.py.
"""

from torch import nn

from mmfuse.recurrent import run_packed
from mmfuse.step_attention import StepAttention
from mmfuse.types import Encoder, Signal


class CatLSTM(Encoder):
    def __init__(self, size: int, dim: int = 64, longest: int = 64, dropout_in: float = 0.0, dropout: float = 0.5):
        """`longest` is how many places have an attention of their own. Dropout is of what is read, and of the LSTM."""
        super().__init__()
        self.dim = dim
        self.rnn = nn.LSTM(size, dim, batch_first=True)
        self.attend = StepAttention(dim, longest)
        self.drop_in, self.drop = nn.Dropout(dropout_in), nn.Dropout(dropout)

    def forward(self, signal: Signal) -> Signal:
        said = run_packed(self.rnn, self.drop_in(signal.data), signal.mask)  # (B, T, dim)
        return Signal(self.attend(self.drop(said), signal.mask), signal.mask)
