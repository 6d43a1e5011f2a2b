"""From sound files or arrays to mono waveforms at one sampling rate, float32 from -1 to 1."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import soxr  # what librosa resamples with, without the minute that its first call compiles for
import torch

from mmfuse.prepare.reading import read_each
from mmfuse.prepare.sound import Sound, decoded, sampling_rate
from mmfuse.types import Preparation, Ragged

LOUDNESS = 0.1  # the root mean square that `rms` brings sounds to: 20 dB below full scale, so that peaks have room


class Waveform(Preparation):
    def __init__(
        self,
        rate: int | None = None,
        max_seconds: float = 10.0,
        trim: float | None = None,
        normalise: Literal["peak", "rms"] | None = None,
        threads: int = 4,
    ):
        """`rate` in samples a second; None takes that of the first training row. What is beyond `max_seconds` is cut.

        Sounds of another rate are resampled, several channels averaged. `trim` first takes off what is so many decibels
        below the loudest place at either end, as `librosa.effects.trim` does, in windows of 2048 samples. `normalise`
        brings the loudest sample to 1, or the root mean square to 0.1. Files are decoded in `threads` threads.
        """
        if trim is not None and trim <= 0:
            raise ValueError(f"trim={trim}: decibels below the loudest place are needed, such as 30.0")
        if normalise not in (None, "peak", "rms"):
            raise ValueError(f"normalise={normalise}: one of peak, rms is needed, or null")
        self.max_seconds, self.trim, self.normalise, self.threads = max_seconds, trim, normalise, threads
        self.size = rate or 0

    def fit(self, raw: Sequence[Sound | None]) -> None:
        if not self.size:
            rates = read_each(sampling_rate, raw, self.threads)
            self.size = rates[0] if rates else 0

    def __call__(self, raw: Sequence[Sound | None]) -> Ragged:
        waves = read_each(self.wave, raw, self.threads)
        lengths = torch.zeros(len(raw), dtype=torch.long)
        lengths[[i for i, sound in enumerate(raw) if sound is not None]] = torch.tensor(
            [len(wave) for wave in waves], dtype=torch.long
        )
        return Ragged(torch.from_numpy(np.concatenate([*waves, np.empty(0, np.float32)])), lengths)

    def wave(self, sound: Sound) -> np.ndarray:
        """(samples,) at this preparation's rate."""
        data, rate = decoded(sound, None if self.trim else self.max_seconds)
        if not len(data) or not np.isfinite(data).all():
            raise ValueError("it has samples that are not numbers" if len(data) else "it has no samples")
        data = data.astype(np.float32)
        if self.trim:
            data = trimmed(data, self.trim)
        data = data[: int(self.max_seconds * rate)]
        if rate != self.size:
            data = soxr.resample(data, rate, self.size, quality="HQ")
            if not len(data):
                raise ValueError(f"it is too short: not a sample is left of it at {self.size} a second")
        return levelled(data, self.normalise) if self.normalise else data

    def opened(self, value: Sound) -> tuple[np.ndarray, int]:
        return self.wave(value), self.size

    def state(self) -> dict[str, Any]:
        return {
            "rate": self.size,
            "max_seconds": self.max_seconds,
            "trim": self.trim,
            "normalise": self.normalise,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.size, self.max_seconds = state["rate"], state["max_seconds"]
        self.trim, self.normalise = state["trim"], state["normalise"]


def trimmed(data: np.ndarray, decibels: float) -> np.ndarray:
    import librosa  # some seconds, which sounds that stay as they are do not take

    return librosa.effects.trim(data, top_db=decibels)[0]


def levelled(data: np.ndarray, by: str) -> np.ndarray:
    """Silence stays silence."""
    level = np.abs(data).max() if by == "peak" else np.sqrt(np.mean(np.square(data, dtype=np.float64))) / LOUDNESS
    return (data / level).astype(np.float32) if level > 0 else data
