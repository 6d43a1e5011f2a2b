"""From pictures to pixels of one size: bytes, which the encoder scales, or numbers where they are to be normalised."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch

from mmfuse.prepare.canvas import Canvas
from mmfuse.prepare.picture import Picture, outline
from mmfuse.prepare.reading import read_each
from mmfuse.types import Preparation, Ragged


class Pixels(Preparation):
    def __init__(
        self,
        size: Sequence[int] | None = None,
        fit: Literal["stretch", "crop", "pad"] = "stretch",
        color: bool | None = None,
        normalise: Literal["training", "imagenet"] | None = None,
        threads: int = 4,
    ):
        """`size` is [height, width]; None keeps that of the training pictures if they share one, else takes [64, 64].

        `fit` tells what becomes of a picture of another shape. `color` None is grey where every training picture is
        grey. `normalise` takes the mean off each channel and divides by its standard deviation, both over all pixels
        of the training pictures or ImageNet's. Files are decoded in `threads` threads.
        """
        self.canvas, self.threads = Canvas(size, fit, color, normalise), threads
        self.size = self.canvas.channels

    def fit(self, raw: Sequence[Picture | None]) -> None:
        self.canvas.fit(raw, outline, lambda picture: self.canvas.draw(picture)[None], self.threads)
        self.size = self.canvas.channels

    def __call__(self, raw: Sequence[Picture | None]) -> Ragged:
        pictures = read_each(self.canvas.draw, raw, self.threads)
        data = np.stack(pictures) if pictures else self.canvas.blank()  # (S, C, H, W)
        return Ragged(self.canvas.scale(data), torch.tensor([int(picture is not None) for picture in raw]))

    def opened(self, value: Picture) -> np.ndarray:
        return self.canvas.draw(value).transpose(1, 2, 0)  # (H, W, C)

    def state(self) -> dict[str, Any]:
        return self.canvas.state()

    def restore(self, state: dict[str, Any]) -> None:
        self.canvas.restore(state)
        self.size = self.canvas.channels
