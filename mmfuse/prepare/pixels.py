"""From picture files or arrays to bytes of one size. The encoder scales them, so that memory holds a byte a value."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from mmfuse.prepare.reading import read_each
from mmfuse.types import Preparation, Ragged

Picture = Path | np.ndarray  # an array is (H, W) or (H, W, 3), bytes


class Pixels(Preparation):
    def __init__(self, size: Sequence[int] | None = None, color: bool | None = None, threads: int = 4):
        """`size` is [height, width]; None keeps that of the training pictures if they share one, else takes [64, 64].

        `color` None is grey where every training picture is grey. Files are decoded in `threads` threads.
        """
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise ValueError(f"size={list(size)}: a height and a width are needed, such as [64, 64]")
        self.shape = None if size is None else (size[0], size[1])
        self.color, self.threads = color, threads
        self.size = 3 if color else 1  # channels

    def fit(self, raw: Sequence[Picture | None]) -> None:
        seen = read_each(outline, raw, self.threads)
        shapes = {shape for shape, _ in seen}
        if self.shape is None:
            self.shape = shapes.pop() if len(shapes) == 1 else (64, 64)
        if self.color is None:
            self.color = any(colored for _, colored in seen)
        self.size = 3 if self.color else 1

    def __call__(self, raw: Sequence[Picture | None]) -> Ragged:
        if self.shape is None:
            raise RuntimeError("pixels have to be fitted before use")
        height, width = self.shape
        pictures = read_each(partial(pixels, height=height, width=width, channels=self.size), raw, self.threads)
        data = np.stack(pictures) if pictures else np.empty((0, self.size, height, width), np.uint8)
        return Ragged(torch.from_numpy(data), torch.tensor([int(picture is not None) for picture in raw]))

    def state(self) -> dict[str, Any]:
        return {"shape": list(self.shape or ()), "channels": self.size}

    def restore(self, state: dict[str, Any]) -> None:
        self.shape, self.size = (state["shape"][0], state["shape"][1]), state["channels"]
        self.color = self.size == 3


def outline(picture: Picture) -> tuple[tuple[int, int], bool]:
    """(height, width) and whether it has colours, from a file's header alone."""
    if isinstance(picture, np.ndarray):
        return (picture.shape[0], picture.shape[1]), picture.ndim == 3
    with Image.open(picture) as opened:
        return (opened.height, opened.width), opened.mode not in ("1", "L", "LA", "I", "I;16", "F")


def pixels(picture: Picture, height: int, width: int, channels: int) -> np.ndarray:
    """(channels, height, width) bytes; transparency on white, and another size by bicubic resampling."""
    with Image.fromarray(picture) if isinstance(picture, np.ndarray) else Image.open(picture) as opened:
        image = opened
        image.draft("RGB" if channels == 3 else "L", (2 * width, 2 * height))  # a large JPEG is decoded smaller
        if "A" in image.getbands() or "transparency" in image.info:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        if image.mode.startswith("I;16"):  # which convert() would clip and not scale
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        image = image.convert("RGB" if channels == 3 else "L")
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.BICUBIC)
        return np.asarray(image).reshape(height, width, channels).transpose(2, 0, 1).copy()
