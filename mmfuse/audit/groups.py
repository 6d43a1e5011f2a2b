"""Rows of one source (a video, a speaker, a patient) on both sides of a split: the test then asks about known sources.

Where the data set names its groups, any that is on both sides is a warning. Where it does not, each column of the table
that nothing is learned from is asked whether it looks like one. It has five values or more, of two rows or more on
average, and the largest of a tenth of the rows at most or three times the average: kinds of things (answers, topics)
have a few large values and many small ones. It is no copy of a target. And held-out rows are more like the training
rows of their own value than like those of another. That likeness is measured as the distance between a value's mean
traits on the two sides, against the same with the values dealt out anew. A column of numbers must besides be nearer to
its own than to the next number's, by half of what it is nearer than to any, or every quantity (an age, a length) would
pass for a group.

A column of a few values that are all in every part is a condition rather than a source, and by design there: a note.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from mmfuse.audit.chance import by_value
from mmfuse.audit.sample import sample
from mmfuse.audit.sides import NAMES, numbers, percent
from mmfuse.audit.traits import Traits
from mmfuse.listener import Finding

FEW = 20  # values, up to which a column may be a condition
EACH = 8  # rows of a value on a side
VALUES = 60  # that are looked at
DEALS = 200
NEARER = 0.1  # than others, in squared distance
SURE = 4.0  # standard deviations of what chance deals

Describe = Callable[[str, np.ndarray], Traits]  # of a modality and (n,) rows


class Straddling(NamedTuple):
    codes: np.ndarray  # (N,) -1 for none
    values: np.ndarray  # those on both sides
    rows: np.ndarray  # held-out rows that have them
    held_out: dict[str, float]  # by side: the share of rows that have them


def named_groups(groups: np.ndarray, side: np.ndarray) -> Iterator[Finding]:
    """`groups` (N,), which the data set says are groups."""
    found = straddling(pd.factorize(groups)[0], side)
    if len(found.values):
        n = len(np.unique(found.codes[side >= 0]))
        said = (
            f"{len(found.values)} of {n} groups are on both sides: those of {shares(found)} rows are also in training."
        )
        yield Finding("warning", "groups", "", said, numbers(found.rows))


def unnamed_groups(
    column: str,
    cells: Sequence[Any],
    side: np.ndarray,
    labels: Sequence[np.ndarray],
    modalities: Sequence[str],
    describe: Describe,
) -> Iterator[Finding]:
    """`cells` (N,) of a column that nothing is learned from; `labels` (N,) of each task, -1 without one."""
    text = ["" if cell is None else str(cell) for cell in cells]
    codes = pd.factorize(pd.Series([t or None for t in text]))[0].astype(np.int64)
    codes = np.where(side >= 0, codes, -1)
    if not group_like(codes) or any(copy_of(label, codes) for label in labels):
        return
    found, total = straddling(codes, side), len(np.unique(codes[codes >= 0]))
    if not len(found.values):
        if (side > 0).any():
            said = f"The split is by '{column}': none of its {total} values is in training and held out."
            yield Finding("note", "groups", column, said)
        return
    order = ordered_by_number(text, codes)
    likeness = {m: alike(found, side, order, partial(describe, m)) for m in modalities}
    told = {m: near for m, near in likeness.items() if near is not None}
    if not told:
        return
    best, key = max(told, key=lambda m: told[m]), f"dataset.split.group={column}"
    few = total <= FEW and len(found.values) == total
    if few and all(len(np.unique(side[(codes == v) & (side >= 0)])) == parts(side) for v in found.values):
        said = f"All {total} values of '{column}' are in every split, and {best} tells them apart;"
        said += f" how well unknown ones are told: dataset.split.column=null {key}"
        yield Finding("note", "groups", column, said, numbers(found.rows))
        return
    said = f"{shares(found)} rows share their '{column}' with training rows, and are like them in {best}: {key}"
    grade: Literal["warning", "note"] = (
        "warning" if found.held_out.get("test") else "note"
    )  # of val rows alone, the figures of test are still true
    yield Finding(grade, "groups", column, said, numbers(found.rows))


def group_like(codes: np.ndarray) -> bool:
    counts = np.unique(codes[codes >= 0], return_counts=True)[1]
    if len(counts) < 5:
        return False
    even = counts.max() <= max(0.1 * counts.sum(), 3 * counts.mean())
    return bool(counts.mean() >= 2 and counts.max() <= 0.5 * counts.sum() and even)


def copy_of(label: np.ndarray, codes: np.ndarray) -> bool:
    """Whether the column is the target under another name: a source may have one label, but not each another."""
    both = (codes >= 0) & (label >= 0)
    values, labels = len(np.unique(codes[both])), len(np.unique(label[both]))
    return values <= 2 * labels and by_value(codes[both], label[both]).gives_away


def parts(side: np.ndarray) -> int:
    return len(np.unique(side[side >= 0]))


def straddling(codes: np.ndarray, side: np.ndarray) -> Straddling:
    train, held = (np.unique(codes[(codes >= 0) & where]) for where in (side == 0, side > 0))
    values = np.intersect1d(train, held)
    has = np.isin(codes, values) & (codes >= 0)
    shares = {NAMES[k]: float(has[side == k].mean()) for k in (2, 1) if (side == k).any()}
    return Straddling(codes, values, np.flatnonzero(has & (side > 0)), shares)


def shares(found: Straddling) -> str:
    return " and ".join(f"{percent(share)} of {side}" for side, share in found.held_out.items())


def ordered_by_number(text: Sequence[str], codes: np.ndarray) -> np.ndarray | None:
    """(V,) each value's place in order of size, where all are numbers."""
    values = [""] * (int(codes.max()) + 1)
    for cell, code in zip(text, codes.tolist(), strict=True):
        if code >= 0:
            values[code] = cell
    found = pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(np.float64)
    return np.argsort(np.argsort(found)) if np.isfinite(found[np.unique(codes[codes >= 0])]).all() else None


def alike(
    found: Straddling, side: np.ndarray, order: np.ndarray | None, describe: Callable[[np.ndarray], Traits]
) -> float | None:
    """How much nearer the two sides of a value are than those of two values, from 0 to 1; None if not surely."""
    values = sample(found.values, VALUES)
    if len(values) < 5:
        return None
    rows = np.concatenate(
        [sample(np.flatnonzero((found.codes == v) & where), EACH) for v in values for where in (side == 0, side > 0)]
    )
    traits = standardised(describe(rows).values)  # (n, F)
    if not traits.shape[1]:
        return None
    code, train = found.codes[rows], side[rows] == 0
    centres = [np.stack([traits[(code == v) & where].mean(axis=0) for v in values]) for where in (train, ~train)]
    apart = ((centres[1][:, None] - centres[0][None]) ** 2).sum(axis=2)  # (V, V): held out, training
    own, others = np.diag(apart).mean(), apart[~np.eye(len(values), dtype=bool)].mean()
    deal = np.random.default_rng(0)
    dealt = np.array([apart[np.arange(len(values)), deal.permutation(len(values))].mean() for _ in range(DEALS)])
    sure = min(SURE, 0.7 * (len(values) - 1))  # of few values, no deal is far from all others
    if others <= 0 or own > dealt.mean() - sure * dealt.std():
        return None
    if order is not None:
        by_size = np.argsort(order[values])
        beside = (apart[by_size[1:], by_size[:-1]].mean() + apart[by_size[:-1], by_size[1:]].mean()) / 2
        if beside - own < 0.5 * (others - own):
            return None
    nearer = float(1 - own / others)
    return nearer if nearer >= NEARER else None


def standardised(values: np.ndarray) -> np.ndarray:
    """(n, F) without the constant ones, 0 where a row has none."""
    known = np.isfinite(values)
    n = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0.0).sum(axis=0) / n
    spread = np.sqrt(np.where(known, (values - mean) ** 2, 0.0).sum(axis=0) / n)
    return np.where(known, (values - mean) / np.where(spread > 0, spread, 1.0), 0.0)[
        :, spread > 1e-9 * (1 + np.abs(mean))
    ]
