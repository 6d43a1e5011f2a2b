"""Sheets that people filled in: one a rater, or one with a column that names the rater."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mmfuse.errors import DataError, offer

NEEDED = ("row", "rating")


class Sheet(NamedTuple):
    ratings: dict[str, dict[int, str]]  # by rater and row; what is empty is not there
    empty: dict[str, int]  # by rater
    told: dict[int, dict[str, str]]  # by row: the target and the prediction, where a sheet has them


def read(files: Sequence[Path]) -> Sheet:
    found = Sheet({}, {}, {})
    for file in files:
        for line, cells in enumerate(lines(file), start=2):
            add(found, file, line, cells)
    if not any(found.ratings.values()):
        raise DataError(f"{', '.join(map(str, files))}: every rating is empty")
    return found


def lines(file: Path) -> list[Mapping[str, str]]:
    try:
        text = file.read_text(encoding="utf-8-sig")  # as spreadsheets write it
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read: {error}\n  to go on: a sheet as CSV in UTF-8") from error
    first = text.split("\n", 1)[0]
    table = csv.DictReader(text.splitlines(), delimiter=";" if first.count(";") > first.count(",") else ",")
    heads = [head or "" for head in table.fieldnames or []]
    for name in NEEDED:
        if name not in heads:
            raise DataError(f"{file}: there is no column '{name}'\n  {offer(name, heads, 'there are')}")
    return [{head: (row[head] or "").strip() for head in heads} for row in table]


def add(found: Sheet, file: Path, line: int, cells: Mapping[str, str]) -> None:
    rater = cells.get("rater") or file.stem
    try:
        row = int(float(cells["row"]))  # a spreadsheet may have made 12.0 of it
    except ValueError as error:
        raise DataError(f"{file}, line {line}: row '{cells['row']}' is no number") from error
    ratings = found.ratings.setdefault(rater, {})
    found.empty.setdefault(rater, 0)
    if row in ratings:
        raise DataError(
            f"{file}, line {line}: {rater} has rated row {row} before"
            "\n  to go on: one file a rater, each of another name; or a column 'rater'"
        )
    found.told.setdefault(row, {}).update({p: cells[p] for p in ("target", "predicted") if cells.get(p)})
    if cells["rating"]:
        ratings[row] = cells["rating"]
    else:
        found.empty[rater] += 1


def known_labels(found: Sheet, classes: Sequence[str]) -> Sheet:
    """With every rating as the classes are written, whatever its capitals; refuses what is none of them."""
    written = {name.casefold(): name for name in classes}
    for rater, ratings in found.ratings.items():
        for row, rating in ratings.items():
            name = rating if rating in classes else written.get(rating.casefold(), alike(rating, classes))
            if name is None:
                known = offer(rating, classes, "classes")
                raise DataError(f"{rater}, row {row}: '{rating}' is no class\n  {known}")
            ratings[row] = name
    return found


def alike(rating: str, classes: Sequence[str]) -> str | None:
    """The class that is the same number.

    >>> alike("3.0", ["2", "3"]), alike("x", ["2"])
    ('3', None)
    """
    try:
        number = float(rating)
        return next((name for name in classes if name.isdigit() and float(name) == number), None)
    except ValueError:
        return None


def refuse_other_rows(found: Sheet, rows: Sequence[int]) -> None:
    there = set(rows)
    for rater, ratings in found.ratings.items():
        for row in ratings:
            if row not in there:
                said = f"{rater}: row {row} is none of the run's labelled test rows"
                raise DataError(f"{said}\n  is it another run's sheet?")
