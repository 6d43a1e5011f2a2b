"""All later steps of a sequence gone: a recording that breaks off (the structured drop of Liang et al., MultiBench,
2021, https://arxiv.org/abs/2107.07502, which has zeros there). A row keeps its first step."""

import numpy as np

from mmfuse.corruption.corruption import Corruption


class StepCut(Corruption):
    kinds = ("sequence",)
    unit = "share of steps, from the end"
    levels = (0.0, 0.2, 0.4, 0.6, 0.8)
    most = 1.0
    by_chance = False

    def changed(self, value: np.ndarray, level: float, random: np.random.Generator) -> np.ndarray:
        real = np.isfinite(value).all(axis=1)  # (T,)
        kept = max(1, int(real.sum()) - round_down(level * real.sum()))
        gone = real & (real.cumsum() > kept)
        return np.where(gone[:, None], np.nan, value).astype(value.dtype)  # (T, D)


def round_down(steps: float) -> int:
    """
    >>> round_down(0.7 * 10), round_down(6.99)
    (7, 6)
    """
    return int(steps + 1e-9)
