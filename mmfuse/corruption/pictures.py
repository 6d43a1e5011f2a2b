"""What spoils pictures, and films frame by frame, each in its own way."""

from abc import abstractmethod

import numpy as np

from mmfuse.corruption.corruption import Corruption


class OfPictures(Corruption):
    kinds = ("image", "video")

    def changed(self, value: np.ndarray, level: float, random: np.random.Generator) -> np.ndarray:
        if value.ndim == 4:  # (T, H, W, C)
            return np.stack([self.spoiled(frame, level, random) for frame in value])
        return self.spoiled(value, level, random)

    @abstractmethod
    def spoiled(self, picture: np.ndarray, level: float, random: np.random.Generator) -> np.ndarray:
        """(H, W, C) bytes to bytes."""
