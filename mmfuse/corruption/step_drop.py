"""Steps of a sequence that are gone, here and there, and leave their places empty (Liang et al., MultiBench, 2021,
https://arxiv.org/abs/2107.07502, which has zeros there). A row keeps the last of its steps."""

import numpy as np

from mmfuse.corruption.corruption import Corruption


class StepDrop(Corruption):
    kinds = ("sequence",)
    unit = "share of steps"
    levels = (0.0, 0.2, 0.4, 0.6, 0.8)
    most = 1.0

    def changed(self, value: np.ndarray, level: float, random: np.random.Generator) -> np.ndarray:
        real = np.isfinite(value).all(axis=1)  # (T,)
        dice = np.where(real, random.random(len(value)), -1.0)
        gone = real & (dice < level) & (np.arange(len(value)) != dice.argmax())
        return np.where(gone[:, None], np.nan, value).astype(value.dtype)  # (T, D)
