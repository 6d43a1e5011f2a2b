"""How much white noise is added to a sound."""

from typing import Any


def noise_gain(signal: Any, noise: Any, snr_db: float) -> Any:
    """What noise of this mean power is multiplied by to have the signal's mean power `snr_db` decibels above it.

    >>> noise_gain(4.0, 1.0, 0.0), noise_gain(1.0, 1.0, 20.0)
    (2.0, 0.1)
    """
    return (signal / noise) ** 0.5 * 10 ** (-snr_db / 20)
