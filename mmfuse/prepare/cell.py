"""What a table's cell says in a column of numbers, and in one of categories. None is a cell that says nothing."""

import math
from collections.abc import Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

Cell = Any  # text, a number, True or False, or None

LARGEST = float(np.finfo(np.float32).max)  # what is beyond is infinite to an encoder


class NotANumberError(ValueError):
    """A cell that says something else."""


def number(cell: Cell) -> float | None:
    """
    >>> number(" 1e3 "), number(3), number("inf"), number("")
    (1000.0, 3.0, None, None)
    """
    if category(cell) is None:
        return None
    if isinstance(cell, bool | np.bool_) or (isinstance(cell, str) and "_" in cell):  # float() takes 1_000
        raise NotANumberError(f"'{cell}' is not a number")
    try:
        value = float(cell)
    except ValueError as error:
        raise NotANumberError(f"'{cell}' is not a number") from error
    except OverflowError:
        return None
    return value if abs(value) <= LARGEST else None


def category(cell: Cell) -> str | None:
    """
    >>> category(" red "), category(3.0), category(True), category(float("nan"))
    ('red', '3', 'True', None)
    """
    if cell is None or isinstance(cell, str):
        return (cell or "").strip() or None
    if not isinstance(cell, Real | Decimal | np.bool_):
        raise ValueError(f"text, a number or nothing is needed, not {type(cell).__name__}")
    if isinstance(cell, float | np.floating | Decimal):
        if not math.isfinite(cell):
            return None
        return str(int(cell)) if cell == int(cell) else str(cell)
    return str(cell)


class Numeric:
    def __init__(self, mean: float, std: float, indicator: bool = False):
        """`indicator`: a second feature is 1 where the cell is missing."""
        self.mean, self.std, self.indicator = mean, std, indicator

    @classmethod
    def of(cls, numbers: Sequence[float]) -> "Numeric":
        varies = min(numbers) < max(numbers)
        return cls(float(np.mean(numbers)), (float(np.std(numbers)) if varies else 0.0) or 1.0)

    @property
    def width(self) -> int:
        return 1 + self.indicator

    def read(self, cell: Cell) -> float | None:
        value = number(cell)
        if value is None:
            return None
        scaled = (value - self.mean) / self.std
        if abs(scaled) > LARGEST:
            raise ValueError(f"{cell} is too far from the training rows, whose mean is {self.mean:g}")
        return scaled

    def features(self, values: Sequence[float | None]) -> np.ndarray:
        """(S, 1) or, with the indicator, (S, 2)."""
        scaled = [0.0 if value is None else value for value in values]
        missing = [float(value is None) for value in values]
        return np.array([scaled, missing][: self.width], np.float32).T

    def state(self) -> dict[str, Any]:
        return {"mean": self.mean, "std": self.std, "indicator": self.indicator}


class Categorical:
    def __init__(self, categories: Sequence[str]):
        """None where no training row has a cell."""
        self.categories = list(categories)
        self.place = {name: k for k, name in enumerate(self.categories)}

    @property
    def width(self) -> int:
        return len(self.categories)

    def read(self, cell: Cell) -> str | None:
        return category(cell)

    def features(self, values: Sequence[str | None]) -> np.ndarray:
        """(S, categories)."""
        data = np.zeros((len(values), self.width), np.float32)
        for row, value in enumerate(values):
            if value in self.place:
                data[row, self.place[value]] = 1.0
        return data

    def state(self) -> dict[str, Any]:
        return {"categories": self.categories}
