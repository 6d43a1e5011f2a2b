"""Which rows train, validate and test: by the data set's own column, by ratios, or k folds. Stratified, or by group."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, StratifiedKFold, train_test_split

from mmfuse.errors import ConfigError, DataError
from mmfuse.tasks.labels import has_label
from mmfuse.types import Examples

BINS = 10  # quantiles that a number is stratified by


class Split(NamedTuple):
    train: np.ndarray  # row numbers, ascending
    val: np.ndarray
    test: np.ndarray


def split(examples: Examples, task: str, ratios: Sequence[float], seed: int) -> Split:
    """The data set's own split where it has one, else by `ratios` of (train, val, test), stratified by `task`.

    Where its own split has no validation rows, they are taken from its training rows in the proportion of the ratios.
    Rows of one group stay together, and so do rows of one item where items are to be found again. Rows without a label
    are left out.
    """
    if len(ratios) != 3 or min(ratios) < 0 or ratios[0] <= 0:
        raise ConfigError(
            f"dataset.split.ratios={list(ratios)}: three shares are needed, for train, val and test"
            "\n  such as dataset.split.ratios=[0.6,0.2,0.2]"
        )
    examples = grouped(examples, task)
    rows = labelled(examples, task)
    if examples.split is None:
        rest, test = carve(examples, task, rows, ratios[2] / sum(ratios), seed)
        train, val = carve(examples, task, rest, ratios[1] / (ratios[0] + ratios[1]), seed)
        return checked(Split(train, val, test), examples, task)
    own = {name: rows[examples.split[rows] == name] for name in ("train", "val", "test")}
    if not len(own["val"]) and len(own["train"]):
        share = ratios[1] / (ratios[0] + ratios[1])
        own["train"], own["val"] = carve(examples, task, own["train"], share, seed)
    return checked(Split(**own), examples, task)


def folds(examples: Examples, task: str, k: int, seed: int) -> Iterator[Split]:
    """k ways to test on one part, validate on the next and train on the rest, whatever the data set's own split."""
    if k < 3:
        raise ConfigError(f"folds={k}: at least 3 are needed, one part each to train, validate and test on")
    examples = grouped(examples, task)
    rows = labelled(examples, task)
    each = parts(examples, task, rows, k, seed)
    for i in range(k):
        rest = [each[j] for j in range(k) if j not in (i, (i + 1) % k)]
        yield checked(Split(np.sort(np.concatenate(rest)), each[(i + 1) % k], each[i]), examples, task)


def parts(examples: Examples, task: str, rows: np.ndarray, k: int, seed: int) -> list[np.ndarray]:
    """The rows in k parts, stratified by the task; those of one group in the same."""
    strata = by_stratum(examples.targets[task][rows], at_least=k)
    several_classes(strata, examples, task, at_least=k)
    if examples.groups is None:
        divided = StratifiedKFold(k, shuffle=True, random_state=seed).split(rows, strata)
    else:
        groups = examples.groups[rows]
        if len(set(groups)) < k:
            raise DataError(
                f"folds={k}: there are only {len(set(groups))} groups to divide, and none can be torn apart"
            )
        divided = StratifiedGroupKFold(k, shuffle=True, random_state=seed).split(rows, strata, groups)
    return [rows[part] for _, part in divided]


def grouped(examples: Examples, task: str) -> Examples:
    """Items as groups, where the task is to find them and no others are named: five captions of a picture."""
    if examples.groups is not None or not examples.tasks[task].between:
        return examples
    return replace(examples, groups=examples.targets[task])


def labelled(examples: Examples, task: str) -> np.ndarray:
    """The rows that have a label for at least one task; an error where none has one for `task`."""
    has = {t: has_label(target) for t, target in examples.targets.items()}
    if not has[task].any():
        raise DataError(f"no row has a label for the task '{task}'")
    return np.flatnonzero(np.any(list(has.values()), axis=0))


def carve(examples: Examples, task: str, rows: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(what stays, what is taken): a share of the rows, stratified, or of their groups."""
    if share <= 0:
        return rows, rows[:0]
    if examples.groups is not None:
        n = len(set(examples.groups[rows]))
        if n < 2:
            raise DataError("all rows to be split are of one group, which cannot be torn apart")
        taken_groups = min(ceil(share * n), n - 1)  # some stay and some are taken, however few there are
        chosen = GroupShuffleSplit(1, test_size=taken_groups, random_state=seed)
        stays, taken = next(chosen.split(rows, groups=examples.groups[rows]))
    else:
        strata = by_stratum(examples.targets[task][rows], at_least=2)
        several_classes(strata, examples, task, at_least=2)
        kinds = len(np.unique(strata))
        if 2 * kinds > len(rows):
            raise DataError(f"{len(rows)} rows of {kinds} classes are too few to be split: each part needs one of each")
        n = min(max(round(share * len(rows)), kinds), len(rows) - kinds)  # a part needs a row of each class
        stays, taken = train_test_split(np.arange(len(rows)), test_size=n, stratify=strata, random_state=seed)
    return np.sort(rows[stays]), np.sort(rows[taken])


def by_stratum(target: np.ndarray, at_least: int) -> np.ndarray:
    """(N,) classes as they are, numbers by quantile, and rows without a label as one more stratum, if enough."""
    strata = by_value(target)
    unknown = strata < 0
    if unknown.any() and unknown.sum() < at_least and not unknown.all():
        found, counts = np.unique(strata[~unknown], return_counts=True)
        strata = np.where(unknown, found[counts.argmax()], strata)
    return strata


def by_value(target: np.ndarray) -> np.ndarray:
    """(N,) classes, or quantiles of a number; -1 without a label. Several labels a row are one stratum."""
    if target.dtype.kind == "O" or target.ndim > 1:
        return np.where(has_label(target), 0, -1)
    if target.dtype.kind != "f":
        return target
    known = ~np.isnan(target)
    edges = np.unique(np.quantile(target[known], np.linspace(0, 1, min(BINS, max(2, known.sum() // 10)) + 1)[1:-1]))
    return np.where(known, np.searchsorted(edges, target, side="right"), -1)


def several_classes(strata: np.ndarray, examples: Examples, task: str, at_least: int) -> None:
    found, counts = np.unique(strata, return_counts=True)
    rare = [(k, n) for k, n in zip(found.tolist(), counts.tolist(), strict=True) if n < at_least]
    if rare:
        names = getattr(examples.tasks[task], "classes", None)
        k, n = rare[0]
        name = f"class '{names[k]}'" if names and k >= 0 else "rows without a label:" if k < 0 else "a range of values"
        raise DataError(
            f"task '{task}': {name} has {n} row{'s' * (n != 1)}, too few to be in every part of the split"
            + (f" (and {len(rare) - 1} more like it)" if len(rare) > 1 else "")
            + "\n  to go on: leave these rows out, join classes, or name a split column: dataset.split.column=NAME"
        )


def checked(split: Split, examples: Examples, task: str) -> Split:
    for name, rows in split._asdict().items():
        if not len(rows):
            raise DataError(
                f"the {name} split is empty: {counts(split)} of {len(examples)} rows"
                "\n  to go on: dataset.split.ratios=[0.6,0.2,0.2], or look at the values of the split column"
            )
        if not has_label(examples.targets[task][rows]).any():
            raise DataError(f"the {name} split has no row with a label for the task '{task}'")
    return split


def kept(split: Split, whole: np.ndarray, examples: Examples, task: str) -> Split:
    """Without the rows that are not whole, (N,) booleans."""
    return checked(Split(*(rows[whole[rows]] for rows in split)), examples, task)


def counts(split: Split) -> str:
    """
    >>> counts(Split(np.arange(3), np.arange(1), np.arange(0)))
    '3 train / 1 val / 0 test'
    """
    return " / ".join(f"{len(rows)} {name}" for name, rows in split._asdict().items())


def named(values: Sequence[object], aliases: Mapping[str, str], where: str) -> np.ndarray:
    """A split column's values as "train", "val" and "test", "" where the cell is empty."""
    names = [aliases.get(str(v).strip().lower()) for v in values]
    for row, (name, value) in enumerate(zip(names, values, strict=True)):
        if name is None:
            raise DataError(
                f"{where}: row {row} has '{value}', which names no split\n"
                f"  known are {', '.join(filter(None, aliases))}"
            )
    return np.array(names)
