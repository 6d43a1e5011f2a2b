"""One film: a folder of pictures, an array, or a video file; and some of its frames, taken evenly over its length.

Of T frames n are the middles of n equal parts, as in TSN (Wang et al., 2016, https://arxiv.org/abs/1608.00859); all of
them where there are no more than n.
"""

import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from mmfuse.prepare import video
from mmfuse.prepare.picture import Outline, Picture, outline
from mmfuse.prepare.reading import Encoded, source

Film = Encoded | np.ndarray  # an array, or a .npy file of one, is (T, H, W) or (T, H, W, C), bytes

PICTURES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


def evenly(length: int, count: int) -> list[int]:
    """
    >>> evenly(10, 3), evenly(10, 1), evenly(2, 8)
    ([1, 5, 8], [5], [0, 1])
    """
    count = min(length, count)
    return [(2 * part + 1) * length // (2 * count) for part in range(count)]


def chosen(film: Film, count: int) -> Sequence[Picture]:
    """Of a film's frames, `count` or all."""
    frames = stack(film)
    if isinstance(frames, Path | BytesIO):
        return video.decoded(frames, lambda length: evenly(length, count))
    return [frames[place] for place in evenly(len(frames), count)]


def first_outline(film: Film) -> Outline:
    frames = stack(film)
    return outline(video.first(frames) if isinstance(frames, Path | BytesIO) else frames[0])


def stack(film: Film) -> list[Path] | np.ndarray | Path | BytesIO:
    """The frames of a folder or an array, none of them read yet; a video file is left one."""
    if isinstance(film, Path) and film.is_dir():
        if not (files := pictures_of(film)):
            raise ValueError("it holds no pictures")
        return files
    if isinstance(film, np.ndarray) or (isinstance(film, Path) and film.suffix.lower() == ".npy"):
        frames = np.load(film, mmap_mode="r", allow_pickle=False) if isinstance(film, Path) else film
        if frames.ndim not in (3, 4):
            raise ValueError(f"its shape is {frames.shape}, but (frames, height, width[, channels]) is needed")
        if not len(frames):
            raise ValueError("it has no frames")
        return frames
    return source(film)


def pictures_of(folder: Path) -> list[Path]:
    files = (file for file in folder.iterdir() if file.suffix.lower() in PICTURES and not file.name.startswith("."))
    return sorted(files, key=natural)


def natural(file: Path) -> list[tuple[int, str]]:
    """Frame 10 comes after frame 9.

    >>> sorted([Path("f10.png"), Path("f9.png"), Path("cover.png")], key=natural)[1].name
    'f9.png'
    """
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", file.name)]
