"""Which steps of padded features are real."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def unpadded(part: Mapping[str, Any], key: str, words: str | None = None) -> list[np.ndarray | None]:
    """The features (N, T, D) or (N, D) of that key as N arrays without their padding; None where a row has none.

    Lengths are taken from `<key>_lengths`, as MMSA's unaligned features have them; else from the mask in `text_bert`
    (N, 3, T: word ids, mask, segments), as its aligned ones have; else padding is the steps before the first and after
    the last that are not zero. Features as long as those of `words` are aligned to them and padded as they are, so that
    a step stays the same word's in every modality. A row that is zero throughout lacks the modality.
    """
    features = np.asarray(part[key], np.float32)
    if features.ndim == 2:
        return [row if row.any() else None for row in features]
    if f"{key}_lengths" in part:
        ends = np.asarray(part[f"{key}_lengths"]).astype(int).ravel()
        spans = np.stack([np.zeros_like(ends), ends], axis=1)
    elif "text_bert" in part and np.shape(part["text_bert"])[-1] == features.shape[1]:
        spans = outline(np.asarray(part["text_bert"])[:, 1] != 0)
    else:
        spans = outline((features != 0).any(axis=2))
        if words is not None and words in part and np.shape(part[words])[:2] == features.shape[:2]:
            theirs = outline((np.asarray(part[words]) != 0).any(axis=2))
            spans = np.where((theirs[:, 1] > 0)[:, None], theirs, spans)
    rows = [row[first:end] for row, (first, end) in zip(features, spans.tolist(), strict=True)]
    return [row if row.any() else None for row in rows]


def outline(real: np.ndarray) -> np.ndarray:
    """(N, T) -> (N, 2): the first real step and the one after the last; 0 and 0 where there is none.

    >>> outline(np.array([[False, True, False, True], [False, False, False, False]])).tolist()
    [[1, 4], [0, 0]]
    """
    steps = real.shape[1]
    first, end = real.argmax(axis=1), steps - real[:, ::-1].argmax(axis=1)  # (N,)
    return np.stack([first, end], axis=1) * real.any(axis=1, keepdims=True)
