"""Files that a data set has where it is published: an error that names them all, where one is missing."""

from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from mmfuse.errors import DataError


def expect(root: Path, names: Iterable[str], source: str | None) -> None:
    """Raises `DataError` unless all of them, files or folders, lie under the root."""
    names = list(dict.fromkeys(names))
    if lost := [name for name in names if not (root / name).exists()]:
        missing(root, lost, names, source)


def missing(root: Path, lost: list[str], expected: list[str], source: str | None) -> NoReturn:
    listed = ", ".join(expected[:8]) + (f" and {len(expected) - 8} more" if len(expected) > 8 else "")
    raise DataError(
        f"{root / lost[0]}: not found" + (f" (and {len(lost) - 1} more)" if len(lost) > 1 else "") + f"\n  expected"
        f" under {root}: {listed}" + (f"\n  to be had from {source}" if source else "") + "\n  to go on:"
        " dataset.root=DIR, the folder that holds them (or the variable MMFUSE_DATA, the folder of data sets)"
    )
