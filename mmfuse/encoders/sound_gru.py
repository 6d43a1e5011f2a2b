"""A bidirectional GRU over the frames of a front end for sound, packed. A step for each frame.

The front end is a log-mel spectrogram, that of all frequencies, or cepstral coefficients. Cho et al., Learning Phrase
Representations using RNN Encoder-Decoder, 2014, https://arxiv.org/abs/1406.1078.
"""

from collections.abc import Callable

from torch import nn

from mmfuse.encoders.spec_augment import SpecAugment
from mmfuse.encoders.spectrum import Front
from mmfuse.recurrent import run_packed
from mmfuse.types import Encoder, Signal


class SoundGRU(Encoder):
    def __init__(
        self,
        size: int,
        front: Callable[..., Front],
        dim: int = 128,
        layers: int = 1,
        time_masks: int = 0,
        time_width: int = 0,
        frequency_masks: int = 0,
        frequency_width: int = 0,
    ):
        """Waveforms of `size` samples a second, heard by `front(rate=size)`; `dim` features come out, half from each
        direction.

        The masks, with their widths in frames and in bands, are those of `SpecAugment`, in training only.
        """
        super().__init__()
        if dim % 2:
            raise ValueError(f"dim={dim}: each direction makes half of it, so it has to be even")
        self.dim = dim
        self.front = front(rate=size)
        self.hide = SpecAugment(time_masks, time_width, frequency_masks, frequency_width)
        self.rnn = nn.GRU(self.front.bands, dim // 2, layers, batch_first=True, bidirectional=True)

    def forward(self, signal: Signal) -> Signal:
        steps, mask = self.front(signal)  # (B, F, bands), (B, F)
        steps = self.hide(self.front.scaled(steps, mask), mask)
        return Signal(run_packed(self.rnn, steps, mask), mask)  # (B, F, dim)
