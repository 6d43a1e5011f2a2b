"""White noise over a sound, at a ratio of the sound's mean power to the noise's, in decibels. Silence stays silent."""

import math
from collections.abc import Sequence

import numpy as np

from mmfuse.corruption.corruption import Corruption
from mmfuse.noise_gain import noise_gain


class SNR(Corruption):
    kinds = ("audio",)
    unit = "SNR dB"
    levels = (math.inf, 20.0, 10.0, 0.0, -10.0)
    least = -math.inf
    nothing = math.inf

    def changed(self, value: tuple[np.ndarray, int], level: float, random: np.random.Generator) -> tuple:
        wave, rate = value  # (samples,) and how many a second
        noise = random.standard_normal(len(wave))
        gain = noise_gain(np.mean(np.square(wave, dtype=np.float64)), np.mean(noise**2), level)
        return (wave + gain * noise).astype(wave.dtype), rate

    @classmethod
    def strength(cls, level: float) -> float:
        return -level

    @classmethod
    def axis(cls, levels: Sequence[float]) -> list[float]:
        """One as far from the next as any other: from none, all are infinitely far."""
        return [float(place) for place in range(len(levels))]
