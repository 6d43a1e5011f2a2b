"""Gaussian noise on features, in standard deviations of the training rows' (Liang et al., MultiBench, 2021,
https://arxiv.org/abs/2107.07502). Of a table its numbers are changed, and not its categories."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmfuse.corruption.corruption import Corruption


class Gaussian(Corruption):
    kinds = ("vector", "sequence", "tabular")
    unit = "standard deviations"
    levels = (0.0, 0.25, 0.5, 1.0, 2.0)

    def __init__(self, spread: Any):
        """The features' standard deviations: (D,), or by column."""
        self.spread = spread

    @classmethod
    def of(cls, spread: Any) -> "Gaussian":
        if spread is None or not len(spread):
            raise ValueError("it has no numbers whose spread over the training rows is known")
        return cls(spread)

    def changed(self, value: Any, level: float, random: np.random.Generator) -> Any:
        if isinstance(value, Mapping):
            noise = dict(zip(self.spread, random.standard_normal(len(self.spread)).tolist(), strict=True))
            return {
                name: cell + level * self.spread[name] * noise[name] if name in noise and cell is not None else cell
                for name, cell in value.items()
            }
        noisy = value + level * self.spread * random.standard_normal(value.shape)  # (T, D)
        return np.where(np.isfinite(value), noisy, value).astype(value.dtype)
