"""A grey square somewhere on the picture (DeVries and Taylor, Improved Regularization of Convolutional Neural Networks
with Cutout, 2017, https://arxiv.org/abs/1708.04552); a rectangle where a square of that area has no room."""

import numpy as np

from mmfuse.corruption.pictures import OfPictures

GREY = 128


class Occlusion(OfPictures):
    unit = "share of the area"
    levels = (0.0, 0.1, 0.2, 0.4, 0.6)
    most = 1.0

    def spoiled(self, picture: np.ndarray, level: float, random: np.random.Generator) -> np.ndarray:
        height, width, _ = picture.shape
        area = level * height * width
        side = area**0.5
        tall = min(height, max(round(side), round(area / width)))
        wide = min(width, max(round(side), round(area / height)))
        down, across = random.random(2)
        top, left = int(down * (height - tall)), int(across * (width - wide))
        covered = picture.copy()
        covered[top : top + tall, left : left + wide] = GREY
        return covered
