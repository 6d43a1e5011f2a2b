"""The spectrogram of a waveform by the short-time Fourier transform, in decibels: all its frequencies, evenly spaced.

Allen, 1977, https://doi.org/10.1109/TASSP.1977.1162950. Agrees with librosa's
`amplitude_to_db(abs(stft(y, center=True, pad_mode="constant")))` clip by clip, top_db=80 included.
"""

from mmfuse.encoders.spectrum import Front, Spectrum, in_decibels
from mmfuse.types import Signal


class STFT(Front):
    def __init__(self, rate: int, window_ms: float = 32.0, hop_ms: float = 10.0):
        """`rate` in samples a second. The window is rounded up to a power of two samples: 32 ms at 8 kHz is 256."""
        super().__init__()
        self.spectrum = Spectrum(rate, window_ms, hop_ms)
        self.bands = self.spectrum.bins

    def forward(self, signal: Signal) -> Signal:
        """Waveforms (B, samples) -> decibels (B, F, bins), 1 + samples // hop frames for each clip."""
        return in_decibels(*self.spectrum(signal))
