"""From the cells of a table's row to one vector, as the training rows' columns would have it.

A column of numbers is standardised by the mean and the standard deviation of its training rows' numbers; a missing one
becomes the mean, and sets a feature that says so where training rows lack it, too. Any other column has a feature for
each of its categories, all 0 where the category is missing or new. Rows without any cell lack the modality.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from mmfuse.errors import DataError
from mmfuse.prepare.cell import Categorical, Cell, NotANumberError, Numeric, category, number
from mmfuse.prepare.reading import read_each, refuse, try_each
from mmfuse.types import Preparation, Ragged

Row = Mapping[str, Cell]


class Cells(Preparation):
    def __init__(self, min_count: int = 1, max_categories: int = 100):
        """Categories that come `min_count` times or more, the `max_categories` most frequent of each column."""
        if min_count < 1 or max_categories < 1:
            raise ValueError(f"min_count={min_count}, max_categories={max_categories}: each has to be 1 or more")
        self.min_count, self.max_categories = min_count, max_categories
        self.columns: dict[str, Numeric | Categorical] = {}
        self.size = 0

    def fit(self, raw: Sequence[Row | None]) -> None:
        read_each(lambda row: [named(name, category, cell) for name, cell in row.items()], raw)
        rows = [row for row in raw if row is not None]
        names = dict.fromkeys(name for row in rows for name in row)
        self.columns = {name: self.learned([row.get(name) for row in rows]) for name in names}
        present = [read for read in map(self.read, rows) if says_something(read)]
        for place, column in enumerate(self.columns.values()):
            if isinstance(column, Numeric):
                column.indicator = any(read[place] is None for read in present)
        self.size = sum(column.width for column in self.columns.values())
        if rows and not self.size:
            raise DataError(
                f"there is nothing to learn from in the columns {', '.join(self.columns)}"
                f"\n  no training row has a number there, nor a category that comes {self.min_count} times"
                "\n  to go on: other columns, or a smaller min_count"
            )

    def learned(self, cells: Sequence[Cell]) -> Numeric | Categorical:
        try:
            numbers = [value for value in map(number, cells) if value is not None]
        except NotANumberError:
            counts = Counter(name for name in map(category, cells) if name is not None)
            enough = sorted((-count, name) for name, count in counts.items() if count >= self.min_count)
            return Categorical(sorted(name for _, name in enough[: self.max_categories]))
        return Numeric.of(numbers) if numbers else Categorical([])

    def __call__(self, raw: Sequence[Row | None]) -> Ragged:
        tried = try_each(self.read, raw)
        refuse(tried)
        present = [isinstance(read, list) and says_something(read) for read in tried]
        rows: list[list[Any]] = [read for read in tried if isinstance(read, list) and says_something(read)]
        features = [column.features([row[k] for row in rows]) for k, column in enumerate(self.columns.values())]
        data = torch.cat([torch.empty(len(rows), 0), *map(torch.from_numpy, features)], dim=1)  # (S, D)
        return Ragged(data, torch.tensor(present, dtype=torch.long))

    def read(self, row: Row) -> list[float | str | None]:
        """What each column makes of its cell; None where that is missing."""
        if new := [name for name in row if name not in self.columns]:
            raise ValueError(f"column '{new[0]}': the training rows have none of that name")
        return [named(name, column.read, row.get(name)) for name, column in self.columns.items()]

    def parts(self) -> dict[str, Any]:
        """`columns`: of "number" or "category", each with how many features it has; those that have none are left out.

        Of a number's two features, the second says that it is missing.
        """
        kinds = {Numeric: "number", Categorical: "category"}
        return {"columns": [(kinds[type(column)], column.width) for column in self.columns.values() if column.width]}

    def opened(self, value: Row) -> Row:
        numbers = self.spread()
        return {name: named(name, number, cell) if name in numbers else cell for name, cell in value.items()}

    def spread(self) -> dict[str, float]:
        return {name: column.std for name, column in self.columns.items() if isinstance(column, Numeric)}

    def state(self) -> dict[str, Any]:
        return {"columns": [[name, column.state()] for name, column in self.columns.items()]}

    def restore(self, state: dict[str, Any]) -> None:
        self.columns = {
            name: Numeric(**column) if "mean" in column else Categorical(**column) for name, column in state["columns"]
        }
        self.size = sum(column.width for column in self.columns.values())


def says_something(read: Sequence[float | str | None]) -> bool:
    return any(value is not None for value in read)


def named(name: str, read: Any, cell: Cell) -> Any:
    try:
        return read(cell)
    except ValueError as error:
        raise ValueError(f"column '{name}': {error}") from error
