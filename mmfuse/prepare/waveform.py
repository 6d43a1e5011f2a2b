"""From sound files or arrays to mono waveforms at one sampling rate, float32 from -1 to 1."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr  # what librosa resamples with, without the minute that its first call compiles for
import torch

from mmfuse.prepare.reading import read_each
from mmfuse.types import Preparation, Ragged

Sound = Path | tuple[np.ndarray, int]  # an array is (samples,) with its sampling rate


class Waveform(Preparation):
    def __init__(self, rate: int | None = None, max_seconds: float = 10.0, threads: int = 4):
        """`rate` in samples a second; None takes that of the first training row. What is beyond `max_seconds` is cut.

        Sounds of another rate are resampled, several channels averaged. Files are decoded in `threads` threads.
        """
        self.max_seconds, self.threads = max_seconds, threads
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
        if isinstance(sound, tuple):
            data, rate = sound
        else:
            rate = sampling_rate(sound)
            data, rate = soundfile.read(sound, frames=int(self.max_seconds * rate), dtype="float32", always_2d=True)
            data = data.mean(axis=1)
        if not len(data) or not np.isfinite(data).all():
            raise ValueError("it has samples that are not numbers" if len(data) else "it has no samples")
        data = data[: int(self.max_seconds * rate)].astype(np.float32)
        return data if rate == self.size else soxr.resample(data, rate, self.size, quality="HQ")

    def state(self) -> dict[str, Any]:
        return {"rate": self.size}

    def restore(self, state: dict[str, Any]) -> None:
        self.size = state["rate"]


def sampling_rate(sound: Sound) -> int:
    if isinstance(sound, tuple):
        return sound[1]
    if not sound.exists():
        raise FileNotFoundError(sound)
    return soundfile.info(sound).samplerate
