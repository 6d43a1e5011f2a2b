"""Pixels that are white or black, as of a sensor that fails (impulse noise in Hendrycks and Dietterich, Benchmarking
Neural Network Robustness to Common Corruptions and Perturbations, 2019, https://arxiv.org/abs/1903.12261)."""

import numpy as np

from mmfuse.corruption.pictures import OfPictures


class SaltPepper(OfPictures):
    unit = "share of pixels"
    levels = (0.0, 0.05, 0.1, 0.2, 0.4)
    most = 1.0

    def spoiled(self, picture: np.ndarray, level: float, random: np.random.Generator) -> np.ndarray:
        dice, white = random.random(picture.shape[:2]), random.random(picture.shape[:2]) < 0.5  # (H, W) each
        return np.where((dice < level)[..., None], np.where(white, 255, 0)[..., None], picture).astype(np.uint8)
