"""Waveforms made louder or softer, moved in time, and noisy, each by dice of its own."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from mmfuse.noise_gain import noise_gain
from mmfuse.types import Signal


class Sound(nn.Module):
    def __init__(
        self,
        size: int,
        gain_db: float = 0.0,
        shift_ms: float = 0.0,
        circular: bool = False,
        snr_db: float | None = None,
    ):
        """Waveforms of `size` samples a second.

        `gain_db` and `shift_ms` are the most either way, and no sound moves by more than half its length. What
        `circular` shifts out at one end comes in at the other, and else silence does. `snr_db` is a sound's mean power
        over that of the white noise added to it.
        """
        super().__init__()
        for name, value in (("gain_db", gain_db), ("shift_ms", shift_ms)):
            if value < 0:
                raise ValueError(f"{name}={value}: the most either way, so 0 or more is needed")
        self.gain_db, self.circular, self.snr_db = gain_db, circular, snr_db
        self.shift = round(size * shift_ms / 1000)  # samples

    @property
    def idle(self) -> bool:
        """Whether it leaves everything as it is."""
        return not (self.gain_db or self.shift) and self.snr_db is None

    def forward(self, signal: Signal) -> Signal:
        if self.idle:
            return signal
        sound, mask = signal  # (B, T)
        if self.gain_db:
            decibels = self.gain_db * (2 * torch.rand(len(sound), 1, device=sound.device) - 1)  # (B, 1)
            sound = louder(sound, decibels)
        if self.shift:
            lengths = (mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)).amax(dim=1)  # (B,)
            most = (lengths // 2).clamp(max=self.shift)  # a short sound does not leave altogether
            by = ((2 * most + 1) * torch.rand(len(sound), device=sound.device)).long() - most  # (B,)
            sound = shifted(sound, mask, lengths, by, self.circular)
        if self.snr_db is not None:
            sound = noisy(sound, mask, self.snr_db)
        return Signal(torch.where(mask, sound, signal.data), mask)


def louder(sound: Float[Tensor, "B T"], decibels: Float[Tensor, "B 1"]) -> Float[Tensor, "B T"]:
    return sound * (10 ** (decibels / 20)).to(sound.dtype)


def shifted(
    sound: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    lengths: Int[Tensor, " B"],
    by: Int[Tensor, " B"],
    circular: bool,
) -> Float[Tensor, "B T"]:
    """Each row `by` samples later, within its own length. What would come from a masked sample is silence."""
    source = torch.arange(sound.shape[1], device=sound.device) - by[:, None]  # (B, T)
    within = (source >= 0) & (source < lengths[:, None])
    source = source % lengths[:, None].clamp(min=1)
    heard = mask.gather(1, source) & (within | circular)
    return sound.gather(1, source).masked_fill(~heard, 0.0)


def noisy(sound: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"], snr_db: float) -> Float[Tensor, "B T"]:
    noise = torch.randn_like(sound)
    gain = noise_gain(power(sound, mask), power(noise, mask), snr_db)  # (B, 1)
    return sound + (gain * noise).to(sound.dtype)


def power(sound: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B 1"]:
    """The mean square of the real samples, in single precision at least."""
    squares = sound.masked_fill(~mask, 0.0).float().square().sum(dim=1, keepdim=True)
    return squares / mask.sum(dim=1, keepdim=True).clamp(min=1)
