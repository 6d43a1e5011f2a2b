"""All that can be told of a data set before anything is trained on it, the worst first."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mmfuse.audit import copies, shift
from mmfuse.audit.broken import broken
from mmfuse.audit.classes import classes
from mmfuse.audit.content import coded
from mmfuse.audit.duplicates import duplicates
from mmfuse.audit.file_names import file_names
from mmfuse.audit.groups import named_groups, unnamed_groups
from mmfuse.audit.lengths import lengths, texts_of_numbers
from mmfuse.audit.missing import missing, unreadable
from mmfuse.audit.presence import presence
from mmfuse.audit.sample import sample
from mmfuse.audit.sides import sides
from mmfuse.audit.strata import distinct, strata
from mmfuse.audit.traits import Traits, traits
from mmfuse.data.lazy import Lazy
from mmfuse.data.splits import Split
from mmfuse.listener import Finding, Grade
from mmfuse.types import Examples, Unreadable

GRADES = ("error", "warning", "note")
DESCRIBED = 1000  # rows of a side whose traits are compared
NUMERIC = ("vector", "sequence", "tabular")


def audit(
    examples: Examples,
    divided: Sequence[Split],
    kinds: Mapping[str, str],
    absent: Mapping[str, np.ndarray] | None = None,
    failures: Mapping[str, Mapping[int, Unreadable]] | None = None,
    broken_is: Grade = "error",
    steps: Mapping[str, np.ndarray] | None = None,
    limits: Mapping[str, int] | None = None,
    read: Mapping[str, Callable[[int], np.ndarray | None]] | None = None,
    thorough: bool = True,
) -> list[Finding]:
    """`kinds` by modality; the rest, by modality too, is what the preparation knows.

    `absent` (N,) tells which rows lack it, `failures` why values cannot be read and `broken_is` how grave that is,
    `steps` (N,) how long rows are, `limits` where they are cut, and `read` gives a row's steps (T, ...) where the raw
    value is a file. Of several folds the first is looked at. Without
    `thorough` there are no models, and no file is opened but to compare it with another of its size.
    """
    examples = replace(examples, raw={m: plain(raw, kinds.get(m, "")) for m, raw in examples.raw.items()})
    args = (examples, divided[0], kinds)
    failures, steps, limits, read = failures or {}, steps or {}, limits or {}, read or {}
    absent = absent or lacking(examples)
    found = [*per_task(*args), *per_modality(*args, absent, steps, limits), *across(*args, absent, read, thorough)]
    for modality, values in failures.items():
        found += unreadable(modality, values, len(examples), broken_is)
    if thorough:
        found += list(searching(*args, read))
    if len(divided) > 1:
        found.append(Finding("note", "folds", "", f"Splits were looked at in the first of {len(divided)} folds."))
    return sorted(found, key=lambda finding: GRADES.index(finding.grade))


def plain(raw: Sequence[Any], kind: str) -> Sequence[Any]:
    """Texts that are given as lists of words, as texts."""
    return [" ".join(value) if isinstance(value, list) else value for value in raw] if kind == "text" else raw


def lacking(examples: Examples) -> dict[str, np.ndarray]:
    """By modality (N,): the row has no value."""
    return {m: np.array([value is None for value in raw], dtype=bool) for m, raw in examples.raw.items()}


def names_of(examples: Examples, task: str) -> tuple[str, ...] | None:
    """Of its classes, where it has any."""
    names = getattr(examples.tasks[task], "classes", None)
    return None if names is None else tuple(names)


def per_task(examples: Examples, split: Split, kinds: Mapping[str, str]) -> Iterator[Finding]:
    side = sides(split, len(examples))
    for task, target in examples.targets.items():
        names = names_of(examples, task)
        yield from classes(task, target, names, split)
        yield from shift.class_shift(task, strata(target), names if target.dtype.kind in "iu" else None, side)


def per_modality(
    examples: Examples,
    split: Split,
    kinds: Mapping[str, str],
    absent: Mapping[str, np.ndarray],
    steps: Mapping[str, np.ndarray],
    limits: Mapping[str, int],
) -> Iterator[Finding]:
    for modality, lacks in absent.items():
        raw, kind = examples.raw[modality], kinds.get(modality, "")
        yield from missing(modality, lacks, split)
        if modality in steps:
            yield from lengths(modality, steps[modality], limits.get(modality))
        if kind == "text":
            yield from texts_of_numbers(modality, raw)
        if kind in NUMERIC and not isinstance(raw, Lazy):
            yield from broken(modality, raw)


def across(
    examples: Examples,
    split: Split,
    kinds: Mapping[str, str],
    absent: Mapping[str, np.ndarray],
    read: Mapping[str, Callable[[int], np.ndarray | None]],
    thorough: bool,
) -> Iterator[Finding]:
    """What is on both sides of the split, and what gives a target away at a look."""
    side = sides(split, len(examples))
    if thorough or not any(isinstance(raw, Lazy) for raw in examples.raw.values()):  # which would all be read
        yield from duplicates({m: coded(raw) for m, raw in examples.raw.items()}, examples.targets, side)
    if examples.groups is not None:
        yield from named_groups(examples.groups, side)
    told = {task: np.where(side >= 0, strata(target), -1) for task, target in examples.targets.items()}
    for task in examples.targets:
        yield from presence(absent, task, told[task], np.flatnonzero(side >= 0))

    def describe(modality: str, rows: np.ndarray) -> Traits:
        return traits(kinds.get(modality, ""), examples.raw[modality], rows.tolist(), read.get(modality))

    if examples.groups is None:
        labels = [distinct(target) for target in examples.targets.values()]
        for column, cells in examples.extras.items():
            yield from unnamed_groups(column, cells, side, labels, list(examples.raw), describe)


def searching(
    examples: Examples, split: Split, kinds: Mapping[str, str], read: Mapping[str, Callable[[int], np.ndarray | None]]
) -> Iterator[Finding]:
    """What takes a small model, or a look into many values."""
    side = sides(split, len(examples))
    for task, target in examples.targets.items():
        classed = np.where(side >= 0, strata(target), -1)
        yield from copies.in_extras(examples.extras, task, target, classed)
        for modality, raw in examples.raw.items():
            yield from file_names(modality, raw, task, classed)
            if kinds.get(modality) == "text":
                names = names_of(examples, task) if target.ndim == 1 else None
                yield from copies.in_texts(modality, raw, task, names, classed)
            elif kinds.get(modality) in NUMERIC:
                yield from copies.in_numbers(modality, raw, task, target, classed)
    rows = np.concatenate([sample(part, DESCRIBED) for part in (split.train, split.test)])
    described = {
        m: (rows, traits(kinds.get(m, ""), raw, rows.tolist(), read.get(m))) for m, raw in examples.raw.items()
    }
    yield from shift.shift(described, side, len(split.train) + len(split.test))
