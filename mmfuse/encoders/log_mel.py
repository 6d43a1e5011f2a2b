"""The log-mel spectrogram of a waveform: power in bands that are spaced as the ear hears pitch, in decibels.

Stevens, Volkmann and Newman, 1937, in Slaney's variant (Auditory Toolbox, 1998). Agrees with librosa's
`power_to_db(melspectrogram(y, power=2.0, center=True, pad_mode="constant"))` clip by clip, top_db=80 included.
"""

import torch
from torch import Tensor
from transformers.audio_utils import mel_filter_bank  # equal to librosa's, without its second of imports

from mmfuse.encoders.spectrum import Front, Spectrum, in_decibels
from mmfuse.types import Signal


class LogMel(Front):
    filters: Tensor

    def __init__(self, rate: int, mels: int = 40, window_ms: float = 32.0, hop_ms: float = 10.0):
        """`rate` in samples a second. The window is rounded up to a power of two samples: 32 ms at 8 kHz is 256."""
        super().__init__()
        self.bands = mels
        self.spectrum = Spectrum(rate, window_ms, hop_ms)
        filters = mel_filter_bank(self.spectrum.bins, mels, 0.0, rate / 2, rate, norm="slaney", mel_scale="slaney")
        self.register_buffer("filters", torch.from_numpy(filters).float(), persistent=False)  # (bins, mels)

    def forward(self, signal: Signal) -> Signal:
        """Waveforms (B, samples) -> decibels (B, F, mels), 1 + samples // hop frames for each clip."""
        power, mask = self.spectrum(signal)  # (B, F, bins), (B, F)
        return in_decibels(power @ self.filters, mask)
