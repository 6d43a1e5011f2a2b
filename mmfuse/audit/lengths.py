"""How long texts, sounds and sequences are, which stand out, and which are cut."""

from collections.abc import Iterator, Sequence

import numpy as np

from mmfuse.audit.sides import numbers, percent
from mmfuse.listener import Finding

FAR = 10.0  # times the median
CUT = 0.20  # of the rows


def lengths(modality: str, steps: np.ndarray, limit: int | None = None) -> Iterator[Finding]:
    """`steps` (N,), 0 where the row lacks the modality; `limit` is what the encoder's preparation cuts at."""
    have = steps[steps > 0]
    if not len(have) or (have == 1).all():
        return
    low, middle, high = have.min(), float(np.median(have)), have.max()
    if low == high:
        yield Finding("note", "lengths", modality, f"All of {low} steps.")
    else:
        yield Finding("note", "lengths", modality, f"{low} to {high} steps, the median {middle:.0f}.")
    if limit is not None and (at := steps >= limit).any() and low < high:
        share = at.sum() / len(have)
        said = (
            f"{at.sum()} rows ({percent(share)}) reach the {limit} steps that the encoder reads, and are cut if longer."
        )
        yield Finding("warning" if share > CUT else "note", "lengths", modality, said, numbers(at))
    if (far := steps > FAR * middle).any():
        said = f"{far.sum()} rows are over {FAR:.0f} times as long as the median."
        yield Finding("note", "lengths", modality, said, numbers(far))


def texts_of_numbers(modality: str, texts: Sequence[str | None]) -> Iterator[Finding]:
    have = [str(text) for text in texts if text is not None]
    if have and all(number(text) for text in have[:20]) and sum(map(number, have)) > 0.9 * len(have):
        key = f"dataset.modalities.{modality}.kind=vector"
        said = f"A text column of numbers, such as '{have[0]}': {key} reads them as such."
        rows = [row for row, text in enumerate(texts) if text is not None and number(str(text))]
        yield Finding("warning", "texts", modality, said, tuple(rows))


def number(text: str) -> bool:
    """
    >>> number("3.5"), number(" -1e3 "), number("three"), number("nan")
    (True, True, False, False)
    """
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
