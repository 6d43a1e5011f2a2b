"""Whether two rows answered the same questions. Where they did not, no test sets them side by side."""

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from mmfuse.compare.flat import flat
from mmfuse.compare.folding import Row

HEARD = ("modalities", "tasks", "missing", "align")  # of a data set's config: what is heard of it, not what it is


def apart(a: Row, b: Row) -> str | None:
    """Why they are not to be tested against each other; None where nothing speaks against it.

    A run that hears fewer modalities, or learns fewer tasks, has another fingerprint of the same rows: then the data
    are taken for the same where the data set's config, its number of rows and the rows of each split are.
    """
    ours, theirs = a.first.manifest["data"], b.first.manifest["data"]
    if ours.get("fingerprint") != theirs.get("fingerprint"):
        heard = all(a.settings[what] == b.settings[what] for what in ("modalities", "tasks"))
        if heard or source(a) != source(b) or ours.get("rows") != theirs.get("rows"):
            return "other data"
    if ids(ours) != ids(theirs):
        return "other rows in its splits"
    return None


def ids(data: Mapping[str, Any]) -> list[Any]:
    return [split.get("ids") for split in data.get("splits", [])]


def source(row: Row) -> dict[str, Any]:
    dataset = row.first.cfg["dataset"]
    return flat({"dataset": {name: value for name, value in dataset.items() if name not in HEARD}})


def letters(rows: Sequence[Row]) -> list[str]:
    """A, B, ... of each row: rows of one letter can be compared."""
    first: list[Row] = []
    found = []
    for row in rows:
        alike = next((n for n, other in enumerate(first) if apart(row, other) is None), len(first))
        if alike == len(first):
            first.append(row)
        found.append(ascii_uppercase[alike] if alike < 26 else str(alike + 1))
    return found
