"""Columns whose cells name files: pictures, sounds, films, arrays, and arrays of which another column names the row."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmfuse.guess.arrays import SUFFIXES, Array, headers
from mmfuse.guess.guesses import Guess
from mmfuse.guess.look import Look

KINDS = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"), "image"),
    **dict.fromkeys((".wav", ".flac", ".ogg", ".mp3", ".m4a", ".opus"), "audio"),
    **dict.fromkeys((".mp4", ".avi", ".mov", ".mkv", ".webm", ".flv"), "video"),
    **dict.fromkeys(SUFFIXES, "array"),
}
NUMBER_OF = re.compile(r"index|idx|row|position|offset|number|(^|_)(i|no|nr)$", re.IGNORECASE)
GROUPS = 10  # fewer are no groups to divide


def suffix_kind(look: Look) -> str | None:
    """What the cells name by their suffixes, all of one kind; None where they name no files."""
    if look.form != "word":
        return None
    kinds = {KINDS.get(Path(value).suffix.lower()) for value in set(look.sample)}
    return kinds.pop() if len(kinds) == 1 else None


def media(name: str, look: Look, folder: Path) -> Guess | None:
    """A column of paths; None where it is not one."""
    kind = suffix_kind(look)
    sample = list(dict.fromkeys(look.sample)) if look.form == "word" else []
    if kind is None:
        frames = bool(sample) and all(of_frames(folder / value) for value in sample)
        return Guess(name, "modality", "folders of frames", "video", {"column": name}) if frames else None
    there = [value for value in sample if os.path.exists(folder / value)]
    suffixes = ", ".join(sorted({Path(value).suffix for value in sample}))
    if not there:
        return Guess(name, "left out", f"paths of {suffixes} files, but none of them is in {folder}")
    counted = "all there" if len(there) == len(sample) else f"{len(sample) - len(there)} of {len(sample)} not there"
    counted += f" ({len(look.sample)} rows looked at)" * (len(look.sample) < look.filled)
    why = f"paths of {suffixes} files, {counted}"
    if kind == "array":
        found = headers(folder / there[0])
        shape = found[0].shape if len(found) == 1 else ()
        if len(shape) not in (1, 2):
            return Guess(name, "left out", f"{why}; {there[0]} is neither a vector nor a sequence of them")
        kind = "vector" if len(shape) == 1 else "sequence"
    return Guess(name, "modality", why, kind, {"column": name}, GROUPS <= look.distinct <= look.filled / 2)


def of_frames(place: Path) -> bool:
    """Whether it is a folder that holds pictures."""
    return os.path.isdir(place) and any(KINDS.get(file.suffix.lower()) == "image" for file in place.iterdir())


def indexed(looks: Mapping[str, Look], folder: Path) -> list[Guess]:
    """Modalities whose arrays lie in a few files: one column names the file, another the row of its array."""
    guesses: list[Guess] = []
    for name, look in looks.items():
        if suffix_kind(look) != "array" or look.distinct > look.filled / 3:
            continue
        arrays = {value: headers(folder / value) for value in dict.fromkeys(look.values)}
        keys = set.intersection(*({array.key for array in found} for found in arrays.values()))
        for key in sorted(keys):
            each = {value: next(a for a in found if a.key == key) for value, found in arrays.items()}
            kinds = {(array.kind, array.shape[1:]) for array in each.values()}
            number = row_column(looks, look, each)
            if len(kinds) == 1 and (kind := next(iter(kinds))[0]) and number:
                about = {"file_column": name, "row_column": number, "key": key or None}
                why = f"'{name}' names files of arrays, '{number}' the row: {next(iter(each.values())).shown}"
                guesses.append(Guess(name, "modality", why, kind, {k: v for k, v in about.items() if v}))
                guesses.append(Guess(number, "used", f"the row in the file that '{name}' names"))
    return guesses


def row_column(looks: Mapping[str, Look], files: Look, arrays: Mapping[str, Array]) -> str | None:
    """The column of whole numbers that fit as rows of the arrays: called so, or else of the most values."""
    length = np.array([arrays[value].shape[0] for value in files.values])
    fit = []
    for name, look in looks.items():
        if look.whole and look.filled == look.n and files.filled == files.n:
            numbers = np.array(look.values)
            if numbers.min() >= 0 and (numbers < length).all() and (NUMBER_OF.search(name) or not look.few):
                fit.append((bool(NUMBER_OF.search(name)), look.distinct, name))
    return max(fit)[2] if fit else None
