"""What a table's columns say is to be learned: a task, and its target for each row."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mmfuse.data.cells import DATE, cells, is_list, numbers
from mmfuse.data.modality_columns import as_words
from mmfuse.errors import ConfigError, DataError
from mmfuse.metrics.sentiment import LIMIT
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.multilabel import Multilabel
from mmfuse.tasks.pairs import Pairs
from mmfuse.tasks.regression import Regression
from mmfuse.tasks.sentiment import Sentiment
from mmfuse.tasks.tokens import Tokens
from mmfuse.types import Task


def target(rows: pd.DataFrame, name: str, about: Mapping[str, Any]) -> tuple[Task, np.ndarray]:
    column = str(about.get("column") or name)
    if about.get("scale") and about["kind"] != "regression":
        raise ConfigError(f"dataset.tasks.{name}.scale is of kind: regression, and this is of kind: {about['kind']}")
    return READERS[about["kind"]](rows, name, column, about)


def regression(rows: pd.DataFrame, name: str, column: str, about: Mapping[str, Any]) -> tuple[Task, np.ndarray]:
    found = numbers(rows, column)
    if len(bad := np.flatnonzero(np.isinf(found))):
        raise DataError(f"column '{column}', row {bad[0]}: {found[bad[0]]} cannot be learned\n  empty the cell")
    if not about.get("scale"):
        return Regression(), found
    if len(bad := np.flatnonzero(np.abs(found) > LIMIT)):
        raise DataError(
            f"column '{column}', row {bad[0]}: {found[bad[0]]} is not on the scale of sentiment, -3 to 3"
            f"\n  to go on: dataset.tasks.{name}.scale=null, for any other number"
        )
    return Sentiment(), found


def multiclass(rows: pd.DataFrame, name: str, column: str, about: Mapping[str, Any]) -> tuple[Task, np.ndarray]:
    names = [None if cell is None else class_name(cell) for cell in cells(rows, column)]
    classes = declared(about) or ordered({c for c in names if c is not None})
    if len(classes) < 2:
        raise DataError(
            f"column '{column}': a classification needs two classes or more, but it has {classes}"
            f"\n  to go on: another column, dataset.tasks.{name}.column=NAME, or kind: regression"
        )
    if all(map(DATE.fullmatch, classes)):
        raise DataError(
            f"column '{column}': its values are dates, such as '{classes[0]}', and no classes"
            f"\n  to go on: another column, dataset.tasks.{name}.column=NAME, or one with the year or the month alone"
        )
    number = numbering(classes)
    known = [-1 if c is None else at(number, c, column, row, name) for row, c in enumerate(names)]
    return Multiclass(classes), np.array(known, dtype=np.int64)


def multilabel(rows: pd.DataFrame, name: str, column: str, about: Mapping[str, Any]) -> tuple[Task, np.ndarray]:
    """A cell is a list, or names between separators. An empty list is none of the labels, an empty cell is unknown."""
    found = [None if cell is None else listed(cell, about) for cell in cells(rows, column)]
    classes = declared(about) or ordered({c for names in found for c in names or ()})
    if not classes:
        raise DataError(f"column '{column}': no row has any label\n  to go on: dataset.tasks.{name}.column=NAME")
    if len(classes) < 2:
        raise DataError(
            f"column '{column}': a multilabel task needs two labels or more, but it has {classes}"
            f"\n  to go on: a column of yes and no with kind: multiclass, or dataset.tasks.{name}.column=NAME"
        )
    number = numbering(classes)
    table = np.zeros((len(found), len(classes)), dtype=np.float32)
    for row, names in enumerate(found):
        if names is None:
            table[row] = np.nan
        else:
            table[row, [at(number, c, column, row, name) for c in names]] = 1.0
    return Multilabel(classes), table


def tokens(rows: pd.DataFrame, name: str, column: str, about: Mapping[str, Any]) -> tuple[Task, np.ndarray]:
    """A cell is a list of labels, or labels between spaces."""
    if not about.get("of"):
        raise ConfigError(f"dataset.tasks.{name}: 'of' has to name the modality whose steps have labels, such as text")
    found = [None if cell is None else [class_name(c) for c in as_words(cell)] for cell in cells(rows, column)]
    classes = declared(about) or ordered({c for names in found for c in names or ()})
    if len(classes) < 2:
        raise DataError(f"column '{column}': labels of two kinds or more are needed, but it has {classes}")
    number = numbering(classes)
    table = np.empty(len(found), dtype=object)
    for row, names in enumerate(found):
        if names is not None:
            table[row] = np.array([at(number, c, column, row, name) for c in names], dtype=np.int64)
    return Tokens(classes, about["of"]), table


def pairs(rows: pd.DataFrame, name: str, column: str, about: Mapping[str, Any]) -> tuple[Task, np.ndarray]:
    """Rows of equal cells belong together; without a column, every row is its own item."""
    between = about.get("between") or []
    if len(between) != 2:
        raise ConfigError(f"dataset.tasks.{name}: 'between' has to name two modalities, such as [image, text]")
    if not about.get("column") and name not in rows:
        return Pairs(between), np.arange(len(rows))
    found = [None if cell is None else class_name(cell) for cell in cells(rows, column)]
    number = numbering(dict.fromkeys(c for c in found if c is not None))
    return Pairs(between), np.array([-1 if c is None else number[c] for c in found], dtype=np.int64)


READERS = {
    "multiclass": multiclass,
    "multilabel": multilabel,
    "regression": regression,
    "tokens": tokens,
    "pairs": pairs,
}


def listed(cell: Any, about: Mapping[str, Any]) -> list[str]:
    """The names in a cell."""
    if isinstance(cell, str) and not is_list(cell):
        cell = cell.split(about.get("separator") or ",")
    return [name for c in as_words(cell) if (name := class_name(c))]


def declared(about: Mapping[str, Any]) -> list[str]:
    return [class_name(c) for c in about.get("classes") or []]


def numbering(classes: Iterable[str]) -> dict[str, int]:
    return {c: k for k, c in enumerate(classes)}


def at(number: Mapping[str, int], name: str, column: str, row: int, task: str) -> int:
    if name not in number:
        raise DataError(
            f"column '{column}', row {row}: '{name}' is not among the classes of task '{task}'\n"
            f"  dataset.tasks.{task}.classes: {', '.join(list(number)[:20])}"
        )
    return number[name]


def class_name(cell: Any) -> str:
    """
    >>> class_name(3.0), class_name(" yes "), class_name(True)
    ('3', 'yes', 'True')
    """
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).strip()


def ordered(names: set[str]) -> list[str]:
    """Numbers by size, other names by the alphabet.

    >>> ordered({"10", "9", "-1"}), ordered({"b", "a"})
    (['-1', '9', '10'], ['a', 'b'])
    """
    try:
        return sorted(names, key=lambda name: (float(name), name))
    except ValueError:
        return sorted(names)
