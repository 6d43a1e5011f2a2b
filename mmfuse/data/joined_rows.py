"""Rows of one cell become one row, whose steps they are, in the table's order: the utterances of a video, say.

Features of a row become a step of a sequence, and a row's class the label of a step (kind: tokens). A row without
features is a missing step, of NaN, and one without a label has -1.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.data.modality_columns import load
from mmfuse.errors import ConfigError, DataError
from mmfuse.tasks.labels import has_label
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.tokens import Tokens
from mmfuse.types import Examples


def joined(examples: Examples, by: Sequence[Any], column: str, of: str) -> Examples:
    """`by` is the cell of each row, in `column`; tasks of one class of several label the steps of the modality `of`."""
    places = grouped(by, column)
    whole = list(places.values())
    return replace(
        examples,
        raw={m: [stacked(values, rows, m) for rows in whole] for m, values in examples.raw.items()},
        targets={t: listed(target, whole) for t, target in examples.targets.items()},
        tasks={t: Tokens(task.classes, of) for t, task in examples.tasks.items() if isinstance(task, Multiclass)},
        ids=list(places),
        split=shared(examples.split, places, column, "split"),
        groups=shared(examples.groups, places, column, "group"),
        extras={},
    )


def refuse_other_kinds(modalities: Mapping[str, Mapping[str, Any]], tasks: Mapping[str, Mapping[str, Any]]) -> None:
    """Steps are rows of numbers, and have classes."""
    for what, entries, kind in (("modalities", modalities, "sequence"), ("tasks", tasks, "tokens")):
        for name, about in entries.items():
            if about["kind"] != kind:
                raise ConfigError(
                    f"dataset.by: its rows are steps, and dataset.{what}.{name} is of kind {about['kind']}"
                    f"\n  to go on: dataset.{what}.{name}.kind={kind}, or dataset.by=null"
                )


def grouped(by: Sequence[Any], column: str) -> dict[str, list[int]]:
    """By cell: the numbers of its rows."""
    places: dict[str, list[int]] = {}
    for row, cell in enumerate(by):
        if cell is None:
            raise DataError(f"column '{column}', row {row}: dataset.by joins rows by it, and the cell is empty")
        places.setdefault(str(cell), []).append(row)
    return places


def stacked(values: Sequence[Any], rows: Sequence[int], modality: str) -> np.ndarray | None:
    """(T, D) of the vectors of T rows; None where all are missing."""
    found = [None if values[row] is None else vector(values[row], row, modality) for row in rows]
    widths = {len(array) for array in found if array is not None}
    if not widths:
        return None
    if len(widths) > 1:
        raise DataError(
            f"modality '{modality}', rows {list(rows)[:4]}: they are to be steps, and {widths} features wide"
        )
    missing = np.full(widths.pop(), np.nan, np.float32)
    return np.stack([missing if array is None else array for array in found])


def vector(value: Any, row: int, modality: str) -> np.ndarray:
    """(D,) of an array, a list or its JSON, or a file of one array."""
    try:
        held = load(value, None) if isinstance(value, Path) else json.loads(value) if isinstance(value, str) else value
        array = np.asarray(held, np.float32)
    except (ValueError, TypeError) as error:
        raise DataError(f"modality '{modality}', row {row}: a vector is needed, and not {str(value)[:40]}") from error
    if array.ndim != 1 or not len(array):
        raise DataError(
            f"modality '{modality}', row {row}: a vector is needed, to be a step; its shape is {array.shape}"
        )
    return array


def listed(target: np.ndarray, places: Sequence[Sequence[int]]) -> np.ndarray:
    """(N,) of one array of labels a joined row; None where none of its steps has one."""
    found = np.empty(len(places), dtype=object)
    for place, rows in enumerate(places):
        found[place] = target[rows] if has_label(target[rows]).any() else None
    return found


def shared(values: np.ndarray | None, places: Mapping[str, Sequence[int]], column: str, what: str) -> np.ndarray | None:
    """(N,) what the rows of each cell have in common."""
    if values is None:
        return None
    for cell, rows in places.items():
        if len(found := sorted({str(value) for value in values[rows]})) > 1:
            raise DataError(
                f"dataset.by={column}: the rows of '{cell}' are of more than one {what}: {', '.join(found[:4])}"
            )
    return values[[rows[0] for rows in places.values()]]
