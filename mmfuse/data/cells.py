"""The cells of a table's columns."""

import re
from typing import Any

import numpy as np
import pandas as pd

from mmfuse.errors import DataError, offer

DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([ T]\d{1,2}:\d{2}.*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}")


def cells(rows: pd.DataFrame, name: str) -> list[Any]:
    """A column's cells, None where empty."""
    if name not in rows:
        raise DataError(
            f"the table has no column '{name}'\n  {offer(name, [str(c) for c in rows.columns[:30]], 'its columns')}"
        )
    return [None if empty(cell) else cell for cell in rows[name].tolist()]


def empty(cell: Any) -> bool:
    """
    >>> [empty(cell) for cell in (None, float("nan"), " ", "0", 0)]
    [True, True, True, False, False]
    """
    return cell is None or (isinstance(cell, str) and not cell.strip()) or (isinstance(cell, float) and cell != cell)


def numbers(rows: pd.DataFrame, name: str) -> np.ndarray:
    """(N,) float32, NaN where empty; infinite where a number is too large for that."""
    column = cells(rows, name)
    with np.errstate(over="ignore"):
        found = pd.to_numeric(pd.Series(column, dtype=object), errors="coerce").to_numpy(np.float32)
    for row in np.flatnonzero(np.isnan(found)):
        if column[row] is not None and str(column[row]).strip().lower() != "nan":
            date = DATE.fullmatch(str(column[row]).strip())
            advice = "a column with, say, the days since the first of them" if date else "empty the cell"
            raise DataError(
                f"column '{name}', row {row}: '{column[row]}' is {'a date, and ' * bool(date)}not a number"
                f"\n  to go on: {advice}"
            )
    return found


def is_list(cell: Any) -> bool:
    """Whether a cell holds a list, be it as JSON."""
    return isinstance(cell, list | np.ndarray) or (isinstance(cell, str) and cell.lstrip().startswith("["))
