"""The column that says which rows train, validate and test."""

import re
from collections.abc import Mapping

from mmfuse.guess.guesses import Guess
from mmfuse.guess.look import Look

PARTS = {  # as tables have them
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
CALLED = re.compile(r"(split|fold|set|part|partition|subset)s?\d*", re.IGNORECASE)


def parts(look: Look) -> dict[str, int] | None:
    """Rows by part; None where another value is among them."""
    if look.form != "word":
        return None
    counts: dict[str, int] = {}
    for value in look.values:
        part = PARTS.get(value.lower())
        if part is None:
            return None
        counts[part] = counts.get(part, 0) + 1
    return counts


def split(looks: Mapping[str, Look]) -> list[Guess]:
    found = {name: counts for name, look in looks.items() if (counts := parts(look))}
    whole = {name: counts for name, counts in found.items() if {"train", "test"} <= set(counts)}
    chosen = max(whole, key=lambda name: (len(whole[name]), bool(CALLED.fullmatch(name))), default=None)
    guesses = []
    for name, counts in found.items():
        said = ", ".join(f"{counts[part]} {part}" for part in ("train", "val", "test") if part in counts)
        if name == chosen:
            guesses.append(Guess(name, "split", f"names train and test rows: {said}"))
        elif name in whole:
            guesses.append(Guess(name, "left out", f"another split: {said}"))
        else:
            guesses.append(Guess(name, "left out", f"{said}: a split needs rows to train on and rows to test on"))
    for name, look in looks.items():
        if name not in found and CALLED.fullmatch(name) and look.whole and look.few:
            guesses.append(
                Guess(name, "left out", f"numbers of parts, not train and test; folds={look.distinct} divides")
            )
    return guesses
