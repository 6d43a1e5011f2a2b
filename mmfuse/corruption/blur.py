"""Gaussian blur (Hendrycks and Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations, 2019, https://arxiv.org/abs/1903.12261); the border is repeated outwards."""

import numpy as np
from scipy.ndimage import gaussian_filter

from mmfuse.corruption.pictures import OfPictures


class Blur(OfPictures):
    unit = "standard deviation in pixels"
    levels = (0.0, 0.5, 1.0, 2.0, 4.0)
    by_chance = False

    def spoiled(self, picture: np.ndarray, level: float, random: np.random.Generator) -> np.ndarray:
        blurred = gaussian_filter(picture.astype(np.float32), (level, level, 0), mode="nearest")  # (H, W, C)
        return blurred.round().clip(0, 255).astype(np.uint8)
