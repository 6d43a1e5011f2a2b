"""How many rows each class has in each part of the split, and what range a number has."""

from collections.abc import Iterator

import numpy as np

from mmfuse.audit.sides import NAMES, numbers, percent
from mmfuse.data.splits import Split
from mmfuse.listener import Finding
from mmfuse.tasks.labels import has_label

FEW = 10  # training rows of a class
UNEVEN = 10.0  # training rows of the largest class for one of the smallest
SHOWN = 12  # classes by name


def classes(task: str, target: np.ndarray, names: tuple[str, ...] | None, split: Split) -> Iterator[Finding]:
    """`names` of a classification's classes; None for a number or anything else."""
    labelled = has_label(target)
    lacking = {side: int((~labelled[rows]).sum()) for side, rows in split._asdict().items()}
    if any(lacking.values()):
        said = ", ".join(f"{n} {side}" for side, n in lacking.items() if n)
        rows = np.concatenate(split)
        yield Finding("note", "unlabelled", task, f"{said} rows have no label.", numbers(rows[~labelled[rows]]))
    for side, rows in split._asdict().items():
        if not labelled[rows].any():
            yield Finding("warning", "unlabelled", task, f"No {side} row has a label: nothing can be said of it there.")
    if names is not None:
        yield from of_classes(task, member(target, len(names)), names, split)
    elif target.ndim == 1 and target.dtype.kind == "f":
        yield from of_numbers(task, target, split)


def member(target: np.ndarray, k: int) -> np.ndarray:
    """(N, K) whether the row has the class: one, several, or a word of it."""
    if target.ndim == 2:
        return target > 0.5
    if target.dtype.kind != "O":
        return target[:, None] == np.arange(k)
    found = np.zeros((len(target), k), dtype=bool)
    for row, value in enumerate(target):
        words = np.empty(0, np.int64) if value is None else np.asarray(value, np.int64)
        found[row, words[(words >= 0) & (words < k)]] = True
    return found


def of_classes(task: str, has: np.ndarray, names: tuple[str, ...], split: Split) -> Iterator[Finding]:
    counts = np.stack([has[rows].sum(axis=0) for rows in split])  # (3, K)
    train = counts[0]
    if len(names) <= SHOWN:
        each = ", ".join(f"{name} {'/'.join(map(str, n))}" for name, n in zip(names, counts.T.tolist(), strict=True))
        yield Finding("note", "classes", task, f"Rows in {'/'.join(NAMES)}: {each}.")
    else:
        said = (
            f"{len(names)} classes of {train.min()} to {train.max()} training rows, the median {np.median(train):.0f}."
        )
        yield Finding("note", "classes", task, said)
    for side, of_side in zip(NAMES, counts, strict=True):
        if len(absent := np.flatnonzero((of_side == 0) & (counts.sum(axis=0) > 0))):
            said = f"The {side} split is empty for {listed(absent, names)}."
            yield Finding("warning", "classes", task, said, having(has, absent))
    if len(few := np.flatnonzero((train > 0) & (train < FEW))):
        said = f"Fewer than {FEW} training rows: {listed(few, names, train)}."
        yield Finding("warning", "classes", task, said, having(has, few))
    present = train[train > 0]
    if len(present) > 1 and present.max() > UNEVEN * present.min():
        most, least = names[int(train.argmax())], names[int(np.where(train > 0, train, train.max()).argmin())]
        ratio = present.max() / present.min()
        counted = f"({present.max()}, {present.min()})"
        said = f"Unbalanced: '{most}' has {ratio:.0f} times the training rows of '{least}' {counted}."
        yield Finding("warning", "balance", task, said)


def having(has: np.ndarray, which: np.ndarray) -> tuple[int, ...]:
    return numbers(np.flatnonzero(has[:, which].any(axis=1)))


def listed(which: np.ndarray, names: tuple[str, ...], counts: np.ndarray | None = None) -> str:
    shown = [f"'{names[k]}'" + (f" ({counts[k]})" if counts is not None else "") for k in which[:5].tolist()]
    more = f" and {len(which) - 5} more" if len(which) > 5 else ""
    return f"{'class' if len(which) == 1 else f'{len(which)} classes:'} {', '.join(shown)}{more}"


def of_numbers(task: str, target: np.ndarray, split: Split) -> Iterator[Finding]:
    parts = {side: target[rows][~np.isnan(target[rows])] for side, rows in split._asdict().items()}
    said = "; ".join(
        f"{side} {y.min():.4g} to {y.max():.4g}, mean {y.mean():.4g}" for side, y in parts.items() if len(y)
    )
    yield Finding("note", "range", task, f"{said[:1].upper()}{said[1:]}.")
    train = parts["train"]
    if not len(train):
        return
    if train.min() == train.max():
        yield Finding("warning", "range", task, f"All training rows have {train[0]:.6g}: there is nothing to learn.")
        return
    values, counts = np.unique(train, return_counts=True)
    if len(values) > 2 and counts.max() > 0.5 * len(train):
        said = f"{percent(counts.max() / len(train))} of the training rows have {values[counts.argmax()]:.6g}."
        yield Finding("note", "range", task, said)
    held_out = np.concatenate([split.val, split.test])
    beyond = held_out[(target[held_out] < train.min()) | (target[held_out] > train.max())]  # NaN is neither
    if len(beyond):
        said = f"{len(beyond)} of {len(held_out)} val and test rows are outside the training rows' range."
        yield Finding("note", "range", task, said, numbers(beyond))
