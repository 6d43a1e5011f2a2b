"""A table's cells, column by column, without torch: what is guessed from, before anything is trained."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from mmfuse.errors import DataError

TABLES = (".csv", ".tsv", ".jsonl", ".parquet")


class Rows(NamedTuple):
    file: Path
    columns: dict[str, list[Any]]  # cells, None where empty

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def find(place: Path) -> Path:
    """The table that is meant: a file, or the only table of a folder."""
    if place.is_dir():
        tables = sorted(file for file in place.iterdir() if file.suffix.lower() in TABLES)
        if len(tables) != 1:
            have = f"{len(tables)} tables: {', '.join(file.name for file in tables[:8])}" if tables else "no table"
            raise DataError(f"{place}: this folder holds {have}\n  to go on: mmfuse init {place / 'TABLE'}")
        return tables[0]
    if not place.exists():
        raise DataError(f"{place}: not found\n  looked in {place.parent.resolve()}")
    if place.suffix.lower() not in TABLES:
        raise DataError(f"{place.name}: a table is {', '.join(TABLES)}, not '{place.suffix}'")
    return place


def read(file: Path) -> Rows:
    try:
        columns = READERS[file.suffix.lower()](file)
    except UnicodeDecodeError as error:
        raise DataError(f"{file.name}: not UTF-8 ({error.reason} at byte {error.start})\n  save it as UTF-8") from error
    except (ValueError, OSError, csv.Error) as error:
        raise DataError(f"{file.name}: cannot be read as {file.suffix[1:]}: {error}") from error
    if not columns or not len(next(iter(columns.values()))):
        raise DataError(f"{file.name}: it has no rows\n  to go on: a table with rows under its header")
    return Rows(file, {name: without_blanks(cells) for name, cells in columns.items()})


def separated(file: Path) -> dict[str, list[Any]]:
    with open(file, encoding="utf-8-sig", newline="") as text:
        lines = csv.reader(text, delimiter="\t" if file.suffix.lower() == ".tsv" else ",")
        header, rows = next(lines, []), []
        for line in lines:
            if line and len(line) != len(header):
                raise DataError(
                    f"{file.name}, line {lines.line_num}: {len(line)} cells, but the header has {len(header)}"
                    "\n  to go on: mend that line; a cell that holds the separator stands in quotes"
                )
            rows += [line] if line else []
    if len(set(header)) < len(header):
        twice = next(name for k, name in enumerate(header) if name in header[:k])
        raise DataError(f"{file.name}: two columns are called '{twice}'\n  to go on: give each its own name")
    return {name: [row[k] for row in rows] for k, name in enumerate(header)}


def json_lines(file: Path) -> dict[str, list[Any]]:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), start=1):
        try:
            row = json.loads(line) if line.strip() else None
        except ValueError as error:
            raise DataError(f"{file.name}, line {number}: not JSON ({error})") from error
        if row is not None and not isinstance(row, dict):
            raise DataError(f'{file.name}, line {number}: an object is needed, such as {{"text": "good", "label": 1}}')
        rows += [row] if row else []
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def parquet(file: Path) -> dict[str, list[Any]]:
    table = pd.read_parquet(file)
    return {str(name): table[name].tolist() for name in table.columns}


READERS = {".csv": separated, ".tsv": separated, ".jsonl": json_lines, ".parquet": parquet}


def without_blanks(cells: Sequence[Any]) -> list[Any]:
    """None for each cell that holds nothing.

    >>> without_blanks([None, "  ", float("nan"), 0, "a "])
    [None, None, None, 0, 'a ']
    """
    return [
        None
        if c is None or c is pd.NaT or (isinstance(c, str) and not c.strip()) or (isinstance(c, float) and c != c)
        else c
        for c in cells
    ]
