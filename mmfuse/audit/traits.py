"""A few numbers that describe a value, whatever its kind: what training and test rows are compared by.

text: characters, words, and how often words of 32 kinds come (by hash). image: width and height where they are known,
brightness, contrast and a coarse picture. audio: samples, loudness and eight bands of its spectrum. Any other: steps,
and the mean of each feature over them, of 64 features evenly chosen.
"""

import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from mmfuse.audit.arrays import as_array

WORDS, BANDS, PARTS, FEATURES = 32, 8, 16, 64
LONGEST = 1 << 14  # samples whose spectrum is taken


class Traits(NamedTuple):
    values: np.ndarray  # (n, F), NaN where a row has no such value
    names: list[str]  # (F,)
    plain: np.ndarray  # (F,) False for those that only tell likeness: nobody could name them


Read = Callable[[int], np.ndarray | None]  # the steps (T, ...) that the preparation read of a row


def traits(kind: str, raw: Sequence[Any], rows: Sequence[int], read: Read | None = None) -> Traits:
    """Of these rows. Files are not opened, but for a picture's size: what is in them comes from `read`, if at all."""
    of, names, plain = OF_KIND.get(kind, (of_features, None, None))
    found = [None if raw[row] is None else of(value_of(kind, raw[row], row, read), raw[row]) for row in rows]
    widths = {len(f) for f in found if f is not None}
    if len(widths) != 1:  # none is there, or they are not of one width, which the preparation refuses
        return Traits(np.empty((len(rows), 0)), [], np.empty(0, dtype=bool))
    nothing = np.full(widths.pop(), np.nan)
    values = np.array([nothing if f is None else f for f in found], dtype=np.float64)
    if names is None:
        places = evenly(values.shape[1] - 1, width(kind, raw, rows, read))
        names = ["steps", *(f"feature {k}" for k in places)]
        plain = [True] * len(names)
    return Traits(values, list(names), np.array(plain))


def value_of(kind: str, value: Any, row: int, read: Read | None) -> Any:
    if kind == "text":
        return value
    array = as_array(value)
    return read(row) if array is None and read is not None else array


def of_text(text: str, _: Any) -> np.ndarray:
    words = str(text).casefold().split()
    kinds = np.zeros(WORDS)
    for word in words:
        kinds[bucket(word)] += 1
    return np.array([len(str(text)), len(words), *(kinds / max(len(words), 1))])


@cache
def bucket(word: str) -> int:
    return crc32(word.encode()) % WORDS


def of_image(array: np.ndarray | None, raw: Any) -> np.ndarray:
    width_height = (np.nan, np.nan)
    if isinstance(raw, Path):
        from PIL import Image

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                with Image.open(raw) as image:  # its header only
                    width_height = image.size
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
                pass
    elif isinstance(raw, np.ndarray) and raw.ndim >= 2:
        width_height = raw.shape[1], raw.shape[0]
    return np.array([*width_height, *of_pixels(array)])


def of_pixels(array: np.ndarray | None) -> list[float]:
    if array is None or not array.size:
        return [np.nan] * (2 + PARTS)
    flat = np.asarray(array, dtype=np.float64).reshape(-1)
    parts = flat[: len(flat) // PARTS * PARTS].reshape(PARTS, -1) if len(flat) >= PARTS else np.full((PARTS, 1), np.nan)
    return [float(flat.mean()), float(flat.std()), *parts.mean(axis=1).tolist()]


def of_sound(array: np.ndarray | None, _: Any) -> np.ndarray:
    if array is None or not array.size:
        return np.full(2 + BANDS, np.nan)
    wave = array.reshape(len(array), -1)[:, 0].astype(np.float64)
    wave = wave[:LONGEST]
    power = np.abs(np.fft.rfft(wave, 1 << len(wave).bit_length())) ** 2 + 1e-12  # of a power of two it is quick
    bands = [part.sum() for part in np.array_split(power, BANDS)]
    return np.array(
        [len(array), 10 * np.log10((wave**2).mean() + 1e-12), *np.log10(np.array(bands) / sum(bands) + 1e-9)]
    )


def of_features(array: np.ndarray | None, _: Any) -> np.ndarray | None:
    if array is None or not array.size:
        return None
    steps = np.asarray(array, dtype=np.float64).reshape(len(array), -1)  # (T, D)
    steps = steps[:, evenly(min(FEATURES, steps.shape[1]), steps.shape[1])]
    finite = np.isfinite(steps)
    counts = finite.sum(axis=0)
    mean = np.where(finite, steps, 0.0).sum(axis=0) / np.maximum(counts, 1)
    return np.array([len(steps), *np.where(counts > 0, mean, np.nan)])


@cache
def evenly(n: int, of: int) -> np.ndarray:
    """
    >>> evenly(3, 3), evenly(2, 10)
    (array([0, 1, 2]), array([0, 9]))
    """
    return np.linspace(0, of - 1, n).round().astype(int)


def width(kind: str, raw: Sequence[Any], rows: Sequence[int], read: Read | None) -> int:
    """D of the first value there is."""
    for row in rows:
        if raw[row] is not None and (array := value_of(kind, raw[row], row, read)) is not None and array.size:
            return int(array.size // len(array))
    return 0


PICTURE = ["brightness", "contrast", *(f"part {k}" for k in range(PARTS))]
OF_KIND: dict[str, tuple[Callable[[Any, Any], np.ndarray | None], list[str] | None, list[bool] | None]] = {
    "text": (of_text, ["characters", "words", *(f"word kind {k}" for k in range(WORDS))], [True] * 2 + [False] * WORDS),
    "image": (of_image, ["width", "height", *PICTURE], [True] * 4 + [False] * PARTS),
    "audio": (
        of_sound,
        ["samples", "loudness", *(f"band {k}" for k in range(BANDS))],
        [True] * (2 + BANDS),
    ),
    "video": (
        lambda array, _: np.array([np.nan if array is None else len(array), *of_pixels(array)]),
        ["frames", *PICTURE],
        [True] * 3 + [False] * PARTS,
    ),
}
