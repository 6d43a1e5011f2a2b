"""One picture, by Pillow: from a file, its bytes or an array to bytes of one size."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps

from mmfuse.prepare.reading import Encoded, source

Picture = Encoded | np.ndarray  # an array is (H, W) or (H, W, C), bytes

BICUBIC = Image.Resampling.BICUBIC

# How a picture of another shape becomes (width, height): as it is, the middle of it, or all of it between grey bars.
FITS: dict[str, Callable[[Image.Image, tuple[int, int]], Image.Image]] = {
    "stretch": lambda image, size: image.resize(size, BICUBIC),
    "crop": partial(ImageOps.fit, method=BICUBIC),
    "pad": partial(ImageOps.pad, method=BICUBIC, color="#808080"),
}


class Outline(NamedTuple):
    height: int
    width: int
    colored: bool


def outline(picture: Picture) -> Outline:
    """From a file's header alone."""
    if isinstance(picture, np.ndarray):
        height, width, *channels = picture.shape
        return Outline(height, width, channels not in ([], [1]))
    with Image.open(source(picture)) as image:
        height, width = (image.width, image.height) if on_its_side(image) else (image.height, image.width)
        return Outline(height, width, image.mode not in ("1", "L", "LA", "I", "I;16", "F"))


def pixels(picture: Picture, height: int, width: int, channels: int, fit: str = "stretch") -> np.ndarray:
    """(channels, height, width) bytes; upright by its EXIF, transparency on white, resampled bicubically."""
    size = (width, height)
    with of_array(picture) if isinstance(picture, np.ndarray) else Image.open(source(picture)) as opened:
        image: Any = opened
        across, down = (height, width) if on_its_side(image) else size
        image.draft("RGB" if channels == 3 else "L", (2 * across, 2 * down))  # a large JPEG is decoded smaller
        ImageOps.exif_transpose(image, in_place=True)
        if "A" in image.getbands() or "transparency" in image.info:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        if image.mode.startswith("I;16"):  # which convert() would clip and not scale
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        if image.mode in ("I", "F"):  # 32 bits, which it would clip, too
            low, high = image.getextrema()
            if low < 0 or high > 255:
                raise ValueError(f"its values go from {low:g} to {high:g}, but 0 to 255 are needed")
        if image.mode != (mode := "RGB" if channels == 3 else "L"):  # or it would be copied for nothing
            image = image.convert(mode)
        if image.size != size:
            image = FITS[fit](image, size)
        return np.asarray(image).reshape(height, width, channels).transpose(2, 0, 1)


def on_its_side(image: Image.Image) -> bool:
    """By its EXIF, if that stands in the header: `image.getexif` would decode a PNG to its end to look for it."""
    return Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1) > 4


def of_array(array: np.ndarray) -> Image.Image:
    if array.ndim not in (2, 3):
        raise ValueError(f"its shape is {array.shape}, but (height, width) or (height, width, channels) is needed")
    if array.dtype not in (np.uint8, np.uint16, np.bool_):
        raise ValueError(f"its numbers are {array.dtype}, but bytes from 0 to 255 (uint8) are needed")
    return Image.fromarray(array[..., 0] if array.shape[2:] == (1,) else array)
