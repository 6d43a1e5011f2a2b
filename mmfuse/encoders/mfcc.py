"""Mel-frequency cepstral coefficients: the shape of the log-mel spectrum, coarse to fine, as a cosine transform has it.

Davis and Mermelstein, 1980, https://doi.org/10.1109/TASSP.1980.1163420. Agrees with `librosa.feature.mfcc` clip by
clip: the orthonormal DCT-II of the log-mel spectrogram.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from mmfuse.encoders.log_mel import LogMel
from mmfuse.encoders.spectrum import Front
from mmfuse.types import Signal


class MFCC(Front):
    cosines: Tensor

    def __init__(
        self, rate: int, coefficients: int = 20, mels: int = 40, window_ms: float = 32.0, hop_ms: float = 10.0
    ):
        """`rate` in samples a second. The first `coefficients` of as many as there are mel bands."""
        super().__init__()
        if coefficients > mels:
            raise ValueError(f"coefficients={coefficients}: there are as many as mel bands, mels={mels}, and no more")
        self.bands = coefficients
        self.mel = LogMel(rate, mels, window_ms, hop_ms)
        angles = torch.outer(torch.arange(mels, dtype=torch.float64) + 0.5, torch.arange(coefficients)) * math.pi / mels
        cosines = angles.cos() * math.sqrt(2 / mels)  # (mels, coefficients)
        cosines[:, 0] /= math.sqrt(2)
        self.register_buffer("cosines", cosines.float(), persistent=False)

    def forward(self, signal: Signal) -> Signal:
        """Waveforms (B, samples) -> coefficients (B, F, coefficients), 1 + samples // hop frames for each clip."""
        decibels, mask = self.mel(signal)  # (B, F, mels), (B, F)
        return Signal(decibels @ self.cosines, mask)

    def scaled(self, steps: Float[Tensor, "B F C"], mask: Bool[Tensor, "B F"]) -> Float[Tensor, "B F C"]:
        """In units of 20 decibels. Loudness is in the first coefficient alone, whose mean over the clip goes."""
        mean = Signal(steps, mask).pooled()[:, :1]  # (B, 1)
        level = F.pad(mean, (0, steps.shape[2] - 1)).unsqueeze(1)  # (B, 1, C)
        return ((steps - level) / 20.0).masked_fill(~mask.unsqueeze(-1), 0.0)
