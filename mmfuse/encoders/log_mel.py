"""The log-mel spectrogram of a waveform: power in bands that are spaced as the ear hears pitch, in decibels.

Stevens, Volkmann and Newman, 1937, in Slaney's variant (Auditory Toolbox, 1998). Batched torch on whatever device the
model is on; agrees with librosa's `power_to_db(melspectrogram(y, power=2.0, center=True, pad_mode="constant"))` clip by
clip, top_db=80 included, which is taken below the loudest place of each clip and not of the batch.
"""

import math

import torch
from torch import Tensor, nn
from transformers.audio_utils import mel_filter_bank  # equal to librosa's, without its second of imports

from mmfuse.types import Signal


class LogMel(nn.Module):
    window: Tensor
    bands: Tensor

    def __init__(self, rate: int, mels: int = 40, window_ms: float = 32.0, hop_ms: float = 10.0):
        """`rate` in samples a second. The window is rounded up to a power of two samples: 32 ms at 8 kHz is 256."""
        super().__init__()
        self.mels = mels
        self.hop = round(rate * hop_ms / 1000)
        self.length = 2 ** math.ceil(math.log2(rate * window_ms / 1000))
        if self.hop < 1:
            raise ValueError(f"hop_ms={hop_ms} is less than one sample at {rate} samples a second")
        self.register_buffer("window", torch.hann_window(self.length), persistent=False)
        bands = mel_filter_bank(self.length // 2 + 1, mels, 0.0, rate / 2, rate, norm="slaney", mel_scale="slaney")
        self.register_buffer("bands", torch.from_numpy(bands.T).float(), persistent=False)  # (mels, bins)

    def forward(self, signal: Signal) -> Signal:
        """Waveforms (B, samples) -> decibels (B, frames, mels), 1 + samples // hop frames for each clip."""
        sound = signal.data.masked_fill(~signal.mask, 0.0)
        spectrum = torch.stft(
            sound, self.length, self.hop, window=self.window, center=True, pad_mode="constant", return_complex=True
        )  # (B, bins, F)
        power = torch.view_as_real(spectrum).square().sum(dim=-1)  # (B, bins, F); far cheaper than abs()
        decibels = 10 * (self.bands @ power).clamp(min=1e-10).log10().transpose(1, 2)  # (B, F, mels)
        samples = signal.mask.sum(dim=1)  # (B,)
        frames = torch.where(samples > 0, 1 + samples // self.hop, 0)
        mask = torch.arange(decibels.shape[1], device=frames.device) < frames[:, None]  # (B, F)
        heard = decibels.masked_fill(~mask.unsqueeze(-1), -torch.inf)
        floor = heard.amax(dim=(1, 2), keepdim=True) - 80.0  # (B, 1, 1)
        return Signal(torch.maximum(decibels, floor).masked_fill(~mask.unsqueeze(-1), 0.0), mask)
