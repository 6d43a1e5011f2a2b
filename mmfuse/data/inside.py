"""Paths that a data set names stay in its folder: a table may come from anywhere."""

from pathlib import Path

from mmfuse.errors import DataError


def inside(folder: Path, cell: str, column: str, row: int) -> Path:
    """The file of that name in the folder; `DataError` where the name leads out of it."""
    path = folder / cell.strip()
    suspect = ".." in Path(cell).parts or Path(cell.strip()).is_absolute()
    if suspect and not path.resolve().is_relative_to(folder.resolve()):
        raise DataError(
            f"column '{column}', row {row}: '{cell}' leads out of the data set's folder {folder}"
            "\n  to go on: mend that row; of a table: dataset.media_root=DIR, a folder that holds all of them, or"
            "\n  dataset.outside=true"
        )
    return path
