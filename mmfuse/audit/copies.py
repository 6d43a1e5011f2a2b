"""A target that is given away: by a column of the table, by one feature, or by a text that spells it out.

In a modality it is a warning, since the model may be fed the answer, or the task may be that easy: only a person can
tell. In a column that nothing is learned from it is a note.
"Given away" is nine tenths of what the majority leaves open, and 98 % of the rows, told right cross-validated.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from mmfuse.audit.arrays import as_array
from mmfuse.audit.chance import Guess, by_number, by_value
from mmfuse.audit.content import coded
from mmfuse.audit.sample import of, sample
from mmfuse.audit.sides import percent
from mmfuse.listener import Finding

MOST = 2000  # rows
RANK = 0.98  # Spearman's correlation with a number
NAMES = 200  # classes that are looked for in texts


def in_extras(
    extras: Mapping[str, Sequence[Any]], task: str, target: np.ndarray, strata: np.ndarray
) -> Iterator[Finding]:
    """`strata` (N,) classes, -1 for rows without a label or not to be looked at."""
    for column, cells in extras.items():
        text = [None if cell is None else str(cell) for cell in cells]
        numbers = pd.to_numeric(pd.Series(text, dtype=object), errors="coerce").to_numpy(np.float64)
        have = np.array([t is not None for t in text]) & (strata >= 0)
        rows = sample(np.flatnonzero(have), MOST)
        if len(rows) < 20 or have.sum() < 0.5 * (strata >= 0).sum():
            continue
        said = given_away(coded([text[row] for row in rows.tolist()]), numbers[rows], task, target[rows], strata[rows])
        if said:
            said += f"{of(len(rows), int(have.sum()))}: keep it out of the inputs."
            yield Finding("note", "target copy", column, f"The column {said}")


def given_away(codes: np.ndarray, numbers: np.ndarray, task: str, target: np.ndarray, strata: np.ndarray) -> str:
    """The end of the sentence, or "" where it is not; all (n,), numbers NaN where a cell is none."""
    numeric = bool(np.isfinite(numbers).all())
    if numeric and target.dtype.kind == "f" and target.ndim == 1:
        rho = abs(rank_correlation(numbers[:, None], target)[0])
        return f"gives '{task}' away: rank correlation {rho:.3f}" if rho >= RANK else ""
    guesses = []
    if codes.max(initial=0) < len(codes) / 2:
        guesses.append(by_value(codes, strata))
    if numeric:
        guesses.append(by_number(numbers, strata))
    if not (telling := [guess for guess in guesses if guess.gives_away]):
        return ""
    return sure(task, max(telling, key=lambda guess: guess.right))


def sure(task: str, guess: Guess) -> str:
    majority = f"where the majority is {percent(guess.majority)}"
    return f"gives '{task}' away: {percent(guess.accuracy)} right by it alone, {majority}"


def in_numbers(
    modality: str, raw: Sequence[Any], task: str, target: np.ndarray, strata: np.ndarray
) -> Iterator[Finding]:
    """One feature of a vector."""
    rows = np.array(
        [r for r in sample(np.flatnonzero(strata >= 0), MOST).tolist() if raw[r] is not None], dtype=np.int64
    )
    arrays = [as_array(raw[row]) for row in rows.tolist()]
    if len(rows) < 20 or len({None if a is None else a.shape for a in arrays}) != 1 or not one_step(arrays[0]):
        return
    features = np.stack([np.where(np.isfinite(a[0]), a[0], 0.0) for a in arrays if a is not None])  # (n, D)
    clause = of(len(rows), int((strata >= 0).sum()))
    if target.dtype.kind == "f" and target.ndim == 1:
        rho = np.abs(rank_correlation(features, target[rows]))
        for k in np.flatnonzero(rho >= RANK)[:3].tolist():
            said = f"Feature {k} gives '{task}' away: rank correlation {rho[k]:.3f}{clause}."
            yield Finding("warning", "target copy", modality, said)
        return
    for k in candidates(features, strata[rows])[:3].tolist():
        column = features[:, k]
        codes = np.unique(column, return_inverse=True)[1].reshape(-1)
        if said := given_away(codes, column, task, strata[rows], strata[rows]):
            yield Finding("warning", "target copy", modality, f"Feature {k} {said}{clause}.")


def one_step(array: np.ndarray | None) -> bool:
    return array is not None and array.ndim == 2 and len(array) == 1


def candidates(features: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The features (n, D) that, sorted, have rows of one class side by side: a sort is cheap, and few are left."""
    mixed = np.random.default_rng(0).permutation(len(features))  # ties in the rows' own order would be of one class
    order = np.argsort(features[mixed], axis=0, kind="stable")
    sorted_classes = classes[mixed][order]  # (n, D)
    return np.flatnonzero((sorted_classes[1:] == sorted_classes[:-1]).mean(axis=0) >= 0.95)


def in_texts(
    modality: str, raw: Sequence[str | None], task: str, names: Sequence[str] | None, strata: np.ndarray
) -> Iterator[Finding]:
    """A text that is one-to-one with the class, or that has the class's name among its words."""
    rows = np.array([r for r in np.flatnonzero(strata >= 0).tolist() if raw[r] is not None], dtype=np.int64)
    looked = sample(rows, MOST)
    if len(looked) < 20:
        return
    texts, classes = [str(raw[row]).casefold() for row in looked.tolist()], strata[looked]
    clause = of(len(looked), len(rows))
    codes = coded(texts)
    if codes.max() < len(codes) / 2 and (guess := by_value(codes, classes)).gives_away:
        yield Finding("warning", "target copy", modality, f"The text {sure(task, guess)}{clause}.")
        return
    if names is None or len(names) > NAMES:
        return
    found = spelled(texts, names)
    only = np.array([f[0] if len(f) == 1 else -1 for f in found])
    if (guess := by_value(only + 1, classes)).gives_away:
        said = f"The class's name in the text {sure(task, guess)}{clause}."
        yield Finding("warning", "target copy", modality, said, tuple(looked[only >= 0].tolist()))
    elif (one := only >= 0).mean() >= 0.2:
        right = int((only[one] == classes[one]).sum())
        most = max(np.bincount(classes[one]).max(), np.bincount(only[one]).max()) / one.sum()
        if (guess := Guess(right, int(one.sum()), float(most))).accuracy >= 0.9 and guess.beats_majority(0.05):
            correct = f"in {percent(guess.accuracy)} of them the right one{clause}"
            said = f"{percent(one.mean())} of the texts name one class of '{task}', {correct}."
            yield Finding("warning", "target copy", modality, said, tuple(looked[one].tolist()))


def spelled(texts: Sequence[str], names: Sequence[str]) -> list[list[int]]:
    """The classes whose names stand in each text: as words, or anywhere where words are not parted by spaces.

    >>> spelled(["it is good", "goodness", "很好 or bad"], ["good", "bad", "好"])
    [[0], [], [1, 2]]
    """
    patterns = [
        re.compile(rf"(?<!\w){re.escape(name.casefold())}(?!\w)" if name.isascii() else re.escape(name.casefold()))
        for name in names
    ]
    return [[k for k, pattern in enumerate(patterns) if pattern.search(text)] for text in texts]


def rank_correlation(features: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(D,) Spearman's, of (n, D) with (n,); 0 where either is constant."""
    x, y = rankdata(features, axis=0), rankdata(target)
    x, y = x - x.mean(axis=0), y - y.mean()
    size = np.sqrt((x**2).sum(axis=0) * (y**2).sum())
    return (x * y[:, None]).sum(axis=0) / np.where(size > 0, size, np.inf)
