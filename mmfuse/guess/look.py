"""What the cells of a column look like."""

import json
import re
from collections.abc import Sequence
from datetime import date
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

DATE = re.compile(r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{4}年\d{1,2}月\d{1,2}日)([T ].*)?")
SAMPLE = 2000  # cells that are looked into, where they are text or lists
FEW = 50  # values that a class may have at the most, where its name doesn't tell
WORDS = 3  # a cell on average, from which on they are text
LETTERS = 25  # the same for letters, and
HAN = 6  # for letters of scripts that are written without spaces

Form = Literal["empty", "number", "word", "date", "list", "other"]


class Look(NamedTuple):
    form: Form
    n: int  # rows
    rows: np.ndarray  # those whose cells are not empty
    values: Sequence[Any]  # of these rows: floats, text, or lists
    codes: np.ndarray  # of these rows: which of the distinct values each is
    distinct: int

    @property
    def filled(self) -> int:
        return len(self.rows)

    @property
    def sample(self) -> Sequence[Any]:
        """Some of the values, evenly over all rows, where all would take long to look into."""
        return self.values[:: max(1, self.filled // SAMPLE)]

    @property
    def unique(self) -> bool:
        return self.distinct == self.n > 1

    @property
    def whole(self) -> bool:
        """Whether all are whole numbers."""
        return self.form == "number" and bool((np.floor(self.values) == self.values).all())

    @property
    def few(self) -> bool:
        """Whether it may be a class: at least two values, and several rows of each."""
        return self.form in ("number", "word") and 2 <= self.distinct <= max(2, min(FEW, self.filled / 5))

    @property
    def text(self) -> bool:
        """Whether it is written language and not names or classes."""
        if self.form != "word" or not self.filled:
            return False
        sample = self.sample
        words = np.mean([len(value.split()) for value in sample])
        letters = np.mean([len(value) for value in sample])
        han = np.mean([any("\u3040" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7a3" for c in v) for v in sample])
        spaced = words >= WORDS or (words >= 1.5 and not self.few)
        return bool(spaced or (letters >= LETTERS and words > 1.2) or (han > 0.5 and letters >= HAN))


def look(cells: Sequence[Any]) -> Look:
    """None is an empty cell.

    >>> [look(c).form for c in (["1", 2, None], ["a", "1"], ["2024-01-31"], ["[1, 2]"], [None], [{}])]
    ['number', 'word', 'date', 'list', 'empty', 'other']
    """
    rows = np.array([row for row, cell in enumerate(cells) if cell is not None], dtype=np.int64)
    filled = [cells[row] for row in rows]
    form: Form = "empty"
    values: Any = filled
    if filled and all(is_list(cell) for cell in filled):
        form = "list"
    elif any(isinstance(cell, dict | bytes | list | tuple | np.ndarray) for cell in filled):
        form = "other"
    elif filled and all(isinstance(c, date) or (isinstance(c, str) and DATE.fullmatch(c.strip())) for c in filled):
        form = "date"
    elif filled:
        numbers = as_numbers(filled)
        form, values = ("number", numbers) if numbers is not None else ("word", as_text(filled))
    same = values if form == "number" else np.array([str(value) for value in values], dtype=object)
    codes, kinds = pd.factorize(same)
    return Look(form, len(cells), rows, values, codes, len(kinds))


def is_list(cell: Any) -> bool:
    return isinstance(cell, list | tuple | np.ndarray) or (isinstance(cell, str) and cell.lstrip().startswith("["))


def as_numbers(cells: Sequence[Any]) -> np.ndarray | None:
    """Finite numbers; None where one is no number. True and False are names."""
    if any(isinstance(cell, bool | np.bool_) for cell in cells):
        return None
    try:
        numbers = np.array([float(cell) for cell in cells])
    except (TypeError, ValueError):
        return None
    return numbers if np.isfinite(numbers).all() else None


def as_text(cells: Sequence[Any]) -> list[str]:
    """As class names are written: 3.0 is 3."""
    return [str(int(c) if isinstance(c, float) and c.is_integer() else c).strip() for c in cells]


def dimensions(values: Sequence[Any]) -> int | None:
    """Of lists of numbers: 1 for vectors of one width, 2 for steps of one width; None for others.

    >>> dimensions(["[1, 2]", [3, 4]]), dimensions([[[1, 2]], [[1, 2], [3, 4]]])
    (1, 2)
    >>> dimensions([["a"]]), dimensions([[1], [1, 2]])
    (None, None)
    """
    shapes = set()
    for value in values:
        try:
            read = json.loads(value) if isinstance(value, str) else value
            array = np.array([np.asarray(item, dtype=np.float64) for item in read], dtype=np.float64)
        except (TypeError, ValueError):
            return None
        shapes.add((array.ndim, *array.shape[-1:]))
    return next(iter(shapes))[0] if len(shapes) == 1 and next(iter(shapes))[0] in (1, 2) else None
