"""What all pictures of a modality become: their size, their channels and how their values are scaled."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from mmfuse.prepare.picture import FITS, Outline, Picture, pixels
from mmfuse.prepare.reading import refuse, try_each
from mmfuse.types import Unreadable

# Of the training pictures of ImageNet, red, green and blue from 0 to 1: what torchvision's pretrained networks were
# trained with (https://docs.pytorch.org/vision/stable/models.html).
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


class Canvas:
    def __init__(
        self,
        size: Sequence[int] | None,
        fit: Literal["stretch", "crop", "pad"],
        color: bool | None,
        normalise: Literal["training", "imagenet"] | None,
    ):
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise ValueError(f"size={list(size)}: a height and a width are needed, such as [64, 64]")
        if fit not in FITS:
            raise ValueError(f"fit={fit}: one of {', '.join(FITS)} is needed")
        if normalise not in (None, "training", "imagenet"):
            raise ValueError(f"normalise={normalise}: one of training, imagenet is needed, or null")
        if normalise == "imagenet":
            if color is False:
                raise ValueError("normalise=imagenet is of red, green and blue, so that color=false can't be")
            color = True
        self.shape = None if size is None else (size[0], size[1])
        self.how, self.color, self.normalise = fit, color, normalise
        self.channels = 3 if color else 1
        self.mean = self.std = np.empty(0)  # (C,) of bytes
        if normalise == "imagenet":
            self.mean, self.std = 255 * np.array(IMAGENET["mean"]), 255 * np.array(IMAGENET["std"])

    def fit(
        self,
        raw: Sequence[Any],
        outline: Callable[[Any], Outline],
        draw: Callable[[Any], np.ndarray],
        threads: int,
    ) -> None:
        """`outline` and `draw` read a raw value; what `draw` makes of it, (S, C, H, W), is not kept."""
        seen = try_each(outline, raw, threads)
        outlines = [found for found in seen if isinstance(found, Outline)]
        shapes = {(found.height, found.width) for found in outlines}
        if self.shape is None:
            self.shape = shapes.pop() if len(shapes) == 1 else (64, 64)
        if self.color is None:
            self.color = any(found.colored for found in outlines)
        self.channels = 3 if self.color else 1
        if self.normalise == "training":
            sums = try_each(lambda value: moments(draw(value)), raw, threads)
            self.measure([found for found in sums if isinstance(found, np.ndarray)])
            seen = [found if isinstance(found, Unreadable) else seen[row] for row, found in enumerate(sums)]
        refuse(seen)

    def measure(self, sums: Sequence[np.ndarray]) -> None:
        if sums:
            count, total, squares = np.sum(sums, axis=0)  # (C,) each; whole numbers, so that their order is no matter
            self.mean = total / count
            self.std = np.sqrt(np.maximum(squares / count - self.mean**2, 0))

    def draw(self, picture: Picture) -> np.ndarray:
        """(C, H, W) bytes."""
        if self.shape is None:
            raise RuntimeError("pixels have to be fitted before use")
        return pixels(picture, *self.shape, self.channels, self.how)

    def blank(self) -> np.ndarray:
        """(0, C, H, W), for rows without a picture."""
        return np.empty((0, self.channels, *(self.shape or ())), np.uint8)

    def scale(self, data: np.ndarray) -> Tensor:
        """(S, C, H, W) bytes as they are, or numbers with the mean taken off, in standard deviations."""
        bytes_ = torch.from_numpy(data)
        if self.normalise is None:
            return bytes_
        std = torch.tensor(np.where(self.std > 1e-8, self.std, 1.0), dtype=torch.float32)
        mean = torch.tensor(self.mean, dtype=torch.float32)
        return bytes_.float().sub_(mean[:, None, None]).div_(std[:, None, None])

    def state(self) -> dict[str, Any]:
        return {
            "shape": list(self.shape or ()),
            "channels": self.channels,
            "fit": self.how,
            "normalise": self.normalise,
            "mean": self.mean.tolist(),
            "std": self.std.tolist(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.shape, self.channels = (state["shape"][0], state["shape"][1]), state["channels"]
        self.color = self.channels == 3
        self.how, self.normalise = state["fit"], state["normalise"]
        self.mean, self.std = np.array(state["mean"]), np.array(state["std"])


def moments(drawn: np.ndarray) -> np.ndarray:
    """(3, C): how many bytes (S, C, H, W) has in a channel, their sum and the sum of their squares."""
    values = drawn.astype(np.int64)
    total, squares = values.sum(axis=(0, 2, 3)), (values * values).sum(axis=(0, 2, 3))
    return np.stack([np.full_like(total, drawn.size // drawn.shape[1]), total, squares])
