"""The table that is guessed from, column by column."""

from pathlib import Path
from typing import Any, NamedTuple

from mmfuse.data.cells import cells
from mmfuse.data.rows import SUFFIXES, read_rows
from mmfuse.errors import DataError


class Rows(NamedTuple):
    file: Path
    columns: dict[str, list[Any]]  # cells, None where empty

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def find(place: Path) -> Path:
    """The table that is meant: a file, the only table of a folder, or a folder of Parquet shards."""
    if place.is_dir():
        tables = sorted(file for file in place.iterdir() if file.suffix.lower() in SUFFIXES)
        tables = [file for file in tables if file.suffix.lower() != ".json"] or tables  # which may hold anything
        if len(tables) > 1 and all(file.suffix == ".parquet" for file in tables):
            return place.resolve()
        if len(tables) != 1:
            have = f"{len(tables)} tables: {', '.join(file.name for file in tables[:8])}" if tables else "no table"
            raise DataError(f"{place}: this folder holds {have}\n  to go on: mmfuse init {place / 'TABLE'}")
        return tables[0]
    if not place.exists():
        raise DataError(f"{place}: not found\n  looked in {place.parent.resolve()}")
    if place.suffix.lower() not in SUFFIXES:
        raise DataError(f"{place.name}: a table is {', '.join(SUFFIXES)}, not '{place.suffix}'")
    return place


def read(file: Path, encoding: str = "utf-8") -> Rows:
    found = read_rows(file, encoding, option="--encoding ")
    return Rows(file, {str(name): cells(found, name) for name in found.columns})
