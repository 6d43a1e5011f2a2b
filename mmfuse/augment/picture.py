"""Pictures mirrored, cropped, turned and recoloured, each in its own way; the frames of a film in one and the same.

What Krizhevsky et al., 2012 (https://doi.org/10.1145/3065386), and most since train on. A crop is scaled back to the
picture's size, and what a turn brings in from outside repeats the border. Colours are changed as Pillow's ImageEnhance
does: brightness first, then contrast, then saturation.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mmfuse.types import Signal

GREY = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601


class Picture(nn.Module):
    def __init__(
        self, size: int | None = None, flip: float = 0.0, crop: float = 0.0, rotate: float = 0.0, color: float = 0.0
    ):
        """`flip` is the share of rows mirrored left to right, `crop` the most of height and width that is cut off.

        `rotate` is the most degrees either way, `color` the most that brightness, contrast and saturation gain or
        lose. The channels' number, `size`, which each augmentation is told, is no matter.
        """
        super().__init__()
        for name, value, most in (("flip", flip, 1), ("rotate", rotate, 180), ("color", color, 1)):
            if not 0 <= value <= most:
                raise ValueError(f"{name}={value}: from 0 up to {most} is needed")
        if not 0 <= crop < 1:
            raise ValueError(f"crop={crop}: a share from 0 up to, but not, 1 is needed")
        self.flip, self.crop, self.rotate, self.color = flip, crop, rotate, color

    @property
    def idle(self) -> bool:
        """Whether it leaves everything as it is."""
        return not (self.flip or self.crop or self.rotate or self.color)

    def forward(self, signal: Signal) -> Signal:
        if self.idle:
            return signal
        pictures, mask = signal  # (B, T, C, H, W)
        rows = len(pictures)

        def dice() -> Float[Tensor, " B"]:
            return torch.rand(rows, device=pictures.device)

        changed = pictures
        if self.flip:
            mirrored = (dice() < self.flip)[:, None, None, None, None]  # (B, 1, 1, 1, 1)
            changed = torch.where(mirrored, changed.flip(-1), changed)
        if self.crop or self.rotate:
            share = 1 - self.crop * dice()  # (B,)
            turn = (2 * dice() - 1) * math.radians(self.rotate)
            place = torch.stack([2 * dice() - 1, 2 * dice() - 1], dim=1) * (1 - share)[:, None]  # (B, 2)
            changed = like(pictures, warped(changed, share, turn, place))
        if self.color:
            factors = [1 + self.color * (2 * dice() - 1) for _ in range(3)]
            changed = like(pictures, recolored(changed, *factors))
        return Signal(torch.where(mask[:, :, None, None, None], changed, pictures), mask)


def like(pictures: Tensor, changed: Tensor) -> Tensor:
    """In the type of these pictures, bytes rounded and kept within their range."""
    if pictures.is_floating_point():
        return changed.to(pictures.dtype)
    return changed.round().clamp(0, 255).to(pictures.dtype)


def warped(
    pictures: Tensor, share: Float[Tensor, " B"], turn: Float[Tensor, " B"], place: Float[Tensor, "B 2"]
) -> Float[Tensor, "B T C H W"]:
    """Windows of this share of height and width, turned by radians about their centres, bilinear.

    `place` is the window's centre (x, y), where the picture reaches from -1 to 1.
    """
    height, width = pictures.shape[-2:]
    frames = pictures.float().flatten(1, 2)  # (B, T C, H, W)
    cos, sin, ratio = share * turn.cos(), share * turn.sin(), height / width  # turned in pixels, not in shares
    above = torch.stack([cos, -sin * ratio, place[:, 0]], dim=1)  # (B, 3)
    below = torch.stack([sin / ratio, cos, place[:, 1]], dim=1)
    grid = F.affine_grid(torch.stack([above, below], dim=1), list(frames.shape), align_corners=False)  # (B, H, W, 2)
    return F.grid_sample(frames, grid, padding_mode="border", align_corners=False).view(pictures.shape)


def recolored(
    pictures: Tensor,
    brightness: Float[Tensor, " B"],
    contrast: Float[Tensor, " B"],
    saturation: Float[Tensor, " B"],
) -> Float[Tensor, "B T C H W"]:
    """Each is a factor: 0 is black, even grey, or without colour, and 1 is the picture as it was."""
    top = torch.inf if pictures.is_floating_point() else 255.0
    brightness, contrast, saturation = (f[:, None, None, None, None] for f in (brightness, contrast, saturation))
    bright = (pictures.float() * brightness).clamp(max=top)
    mean = grey(bright).mean(dim=(-3, -2, -1), keepdim=True)  # (B, T, 1, 1, 1)
    sharp = mean + contrast * (bright - mean)
    if top < torch.inf:
        sharp = sharp.clamp(0.0, top)
    return grey(sharp) + saturation * (sharp - grey(sharp)) if pictures.shape[2] == 3 else sharp


def grey(pictures: Float[Tensor, "B T C H W"]) -> Float[Tensor, "B T 1 H W"]:
    if pictures.shape[2] != 3:
        return pictures.mean(dim=2, keepdim=True)
    weights = torch.tensor(GREY, device=pictures.device)[:, None, None]
    return (pictures * weights).sum(dim=2, keepdim=True)
