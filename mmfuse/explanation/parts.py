"""What the steps of an encoded modality are to a reader: words, places of a picture, frames, or moments."""

from typing import Any, NamedTuple

from mmfuse.prepare.subwords import Subwords
from mmfuse.prepare.words import Words, spelled
from mmfuse.types import Preparation


class Parts(NamedTuple):
    kind: str  # "words", "patches", "frames" or "steps"
    parts: list[str] | None = None  # one a step
    grid: tuple[int, int] | None = None  # rows and columns of places, left to right and downwards


def parts(kind: str, raw: Any, preparation: Preparation, read: int, steps: int, shape: tuple[int, ...]) -> Parts:
    """Of the `steps` that a row's `read` steps were encoded to.

    `kind` is the modality's, `shape` that of one prepared step: a picture's (C, H, W), or () where places overlap.
    """
    if kind == "text":
        said = words(raw, preparation)
        return Parts("words", said if said is not None and len(said) == steps else None)
    if kind == "image":
        return Parts("patches", grid=grid(steps, *shape[-2:]) if len(shape) == 3 else None)
    return Parts("frames" if kind == "video" and steps == read else "steps")


def words(raw: Any, preparation: Preparation) -> list[str] | None:
    """Those of a text that its encoder reads, as they are written in it; None where nothing tells."""
    if isinstance(preparation, Subwords):
        numbers = preparation.tokenizer(raw, truncation=True, max_length=preparation.longest)["input_ids"]
        return [str(word) for word in preparation.tokenizer.convert_ids_to_tokens(numbers)]
    if not isinstance(preparation, Words):
        return None
    said = spelled(raw)
    if isinstance(said, list):
        return said[: preparation.max_length]
    formed = preparation.cutting.formed(said)
    found = preparation.tokenizer.encode(formed)
    return [formed[start:end] for start, end in found.offsets]


def grid(places: int, height: int, width: int) -> tuple[int, int] | None:
    """The rows and columns that so many places of a picture lie in; None where they do not fill its shape.

    >>> grid(6, 20, 30), grid(16, 8, 8), grid(7, 8, 8)
    ((2, 3), (4, 4), None)
    """
    rows = round((places * height / width) ** 0.5)
    fill = rows > 0 and places % rows == 0 and abs(places / rows / rows - width / height) < 0.5
    return (rows, places // rows) if fill else None
