"""Rows that are the same in every modality, within a split and across; values that are on both sides of it.

What a model is tested on and has been trained on is remembered, not predicted. Equal rows with unequal labels are a
warning and no error: people disagree, and it is the best that any model can reach that they bound. That one picture or
one question is in training and in test is how some data sets are made (VQA-RAD), so of one modality it is a note.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from mmfuse.audit.sides import NAMES, numbers, percent
from mmfuse.audit.strata import distinct
from mmfuse.listener import Finding


def duplicates(
    codes: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray], side: np.ndarray
) -> Iterator[Finding]:
    """`codes` by modality (N,), equal for equal content, -1 where missing; `side` (N,) of the split, -1 for none."""
    whole = np.stack(list(codes.values()), axis=1)  # (N, M)
    there = (side >= 0) & (whole >= 0).any(axis=1)
    row = np.full(len(side), -1)
    if there.any():
        row[there] = np.unique(whole[there], axis=0, return_inverse=True)[1].reshape(-1)
    yield from of_rows(row, targets, side)
    if len(codes) > 1:
        for modality, code in codes.items():
            yield from of_values(modality, np.where(side >= 0, code, -1), side, shared(row, side, 0, 2))


def of_rows(row: np.ndarray, targets: Mapping[str, np.ndarray], side: np.ndarray) -> Iterator[Finding]:
    """`row` (N,) is equal for equal rows, -1 for those to leave out."""
    for k in (1, 2):
        again = shared(row, side, 0, k)
        if again.any():
            n = int((again & (side == k)).sum())
            total = int((side == k).sum())
            said = (
                f"{n} of {total} {NAMES[k]} rows ({percent(n / total)}) are also in training, equal in every modality."
            )
            yield Finding("warning", "duplicates", "", said, numbers(again))
    if (again := shared(row, side, 1, 2)).any():
        said = f"{(again & (side == 2)).sum()} test rows are also in val, equal in every modality."
        yield Finding("warning", "duplicates", "", said, numbers(again))
    for k, name in enumerate(NAMES):
        here = (row >= 0) & (side == k)
        if (repeats := int(here.sum() - len(np.unique(row[here])))) > 0:
            again = here & (np.bincount(row[here], minlength=row.max() + 1)[row] > 1)
            said = f"{repeats} of {(side == k).sum()} {name} rows repeat another one of {name}."
            yield Finding("note", "duplicates", "", said, numbers(again))
    for task, target in targets.items():
        label = distinct(target)
        known = (row >= 0) & (label >= 0)
        several = np.zeros(max(int(row.max(initial=-1)), 0) + 1, dtype=np.int64)
        if known.any():
            pairs = np.unique(np.stack([row[known], label[known]]), axis=1)
            several += np.bincount(pairs[0], minlength=len(several))
        if (apart := known & (several[row] > 1)).any():
            said = f"{apart.sum()} rows are equal in every modality to another row that has another label."
            yield Finding("warning", "conflicts", task, said, numbers(apart))


def of_values(modality: str, code: np.ndarray, side: np.ndarray, whole: np.ndarray) -> Iterator[Finding]:
    """`whole` (N,) are the rows that have been told of as duplicates in every modality."""
    again = shared(np.where(whole & (side == 2), -1, code), side, 0, 2)
    if n := int((again & (side == 2)).sum()):
        total = int(((side == 2) & (code >= 0)).sum())
        shares = f"{n} of {total} test rows ({percent(n / total)})"
        said = f"{shares} share theirs with a training row, whose other modalities differ."
        yield Finding("note", "duplicates", modality, said, numbers(again))


def shared(code: np.ndarray, side: np.ndarray, a: int, b: int) -> np.ndarray:
    """(N,) the rows of the sides a and b whose code is on both.

    >>> shared(np.array([0, 0, 1, 2, 2, -1, -1]), np.array([0, 2, 0, 2, 2, 0, 2]), 0, 2)
    array([ True,  True, False, False, False, False, False])
    """
    both = np.intersect1d(code[(side == a) & (code >= 0)], code[(side == b) & (code >= 0)])
    return np.isin(code, both) & ((side == a) | (side == b))
