"""A table on disk: a row an example, a column a modality or a target. CSV, TSV, JSONL or Parquet.

An empty cell or a null is a missing modality, or a missing label. Everything else has to be what its column says.
"""

import csv
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmfuse.data.splits import named
from mmfuse.errors import DataError, offer
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.regression import Regression
from mmfuse.types import Dataset, Examples, Task

SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
    "": "",
}


class Table(Dataset):
    def __init__(
        self,
        file: str,
        modalities: Mapping[str, Mapping[str, Any]],
        tasks: Mapping[str, Mapping[str, Any]],
        root: str | None = None,
        media_root: str | None = None,
        id: str | None = None,
    ):
        """`modalities` and `tasks` as configs/dataset/table.yaml describes them; paths as it says, too."""
        self.root = Path(root or ".").expanduser()
        self.file = self.root / Path(file).expanduser()
        self.media = Path(media_root).expanduser() if media_root else self.file.parent
        self.modalities, self.tasks, self.id = modalities, tasks, id

    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        rows = read_table(self.file)
        tasks, targets = {}, {}
        for name, about in self.tasks.items():
            tasks[name], targets[name] = self.task(rows, name, about)
        return Examples(
            raw={name: self.raw(rows, name, about) for name, about in self.modalities.items()},
            columns={
                name: str(about.get("column") or about.get("key") or name) for name, about in self.modalities.items()
            },
            targets=targets,
            tasks=tasks,
            ids=[str(v) for v in self.column(rows, self.id)] if self.id else [str(row) for row in range(len(rows))],
            split=named([v or "" for v in self.column(rows, split)], SPLITS, f"column '{split}'") if split else None,
            groups=np.array([str(v) for v in self.column(rows, group)]) if group else None,
            extras=self.extras(rows, {split, group, self.id}),
        )

    def extras(self, rows: pd.DataFrame, named: Collection[str | None]) -> dict[str, list[Any]]:
        """By column: the cells that are neither a modality, a target nor named for another purpose."""
        in_table = [(name, a) for name, a in (*self.modalities.items(), *self.tasks.items()) if not a.get("file")]
        used = {column for name, a in in_table for column in a.get("columns") or [a.get("column") or name]}
        return {str(c): self.column(rows, c) for c in rows.columns if c not in used and c not in named}

    def column(self, rows: pd.DataFrame, name: str) -> list[Any]:
        """Its cells, None where empty."""
        if name not in rows:
            raise DataError(
                f"{self.file.name} has no column '{name}'\n  {offer(name, map(str, rows.columns[:30]), 'its columns')}"
            )
        return [None if empty(cell) else cell for cell in rows[name].tolist()]

    def raw(self, rows: pd.DataFrame, name: str, about: Mapping[str, Any]) -> Sequence[Any]:
        kind = about["kind"]
        if about.get("file"):
            return list(self.aligned(self.root / about["file"], about.get("key") or name, len(rows)))
        if about.get("columns"):
            cells = [self.numbers(rows, column) for column in about["columns"]]
            return list(np.stack(cells, axis=1))  # (N, D)
        cells = self.column(rows, about.get("column") or name)
        if kind == "text":
            return [None if cell is None else str(cell) for cell in cells]
        if kind in ("image", "audio"):
            return [None if cell is None else self.media / str(cell) for cell in cells]
        return [self.media / cell if isinstance(cell, str) and not as_list(cell) else cell for cell in cells]

    def aligned(self, file: Path, key: str, n: int) -> np.ndarray:
        """An array of a .npy or .npz file whose first axis is the table's rows."""
        if not file.exists():
            raise DataError(f"{file}: not found\n  to go on: dataset.root=DIR, the folder that holds it")
        loaded = np.load(file, allow_pickle=False)
        if not isinstance(loaded, np.ndarray):
            if key not in loaded.files:
                raise DataError(f"{file.name} has no array '{key}'\n  it has: {', '.join(loaded.files)}")
            loaded = loaded[key]
        if len(loaded) != n:
            raise DataError(f"{file.name}: '{key}' has {len(loaded)} rows, but the table has {n}")
        return loaded

    def numbers(self, rows: pd.DataFrame, name: str) -> np.ndarray:
        """(N,) float32, NaN where empty."""
        cells = self.column(rows, name)
        found = pd.to_numeric(pd.Series(cells, dtype=object), errors="coerce").to_numpy(np.float32)
        for row in np.flatnonzero(np.isnan(found)):
            if cells[row] is not None and str(cells[row]).strip().lower() != "nan":
                raise DataError(
                    f"column '{name}', row {row}: '{cells[row]}' is not a number\n  to go on: empty the cell"
                )
        return found

    def task(self, rows: pd.DataFrame, name: str, about: Mapping[str, Any]) -> tuple[Task, np.ndarray]:
        column = about.get("column") or name
        if about["kind"] == "regression":
            target = self.numbers(rows, column)
            if len(bad := np.flatnonzero(np.isinf(target))):
                raise DataError(
                    f"column '{column}', row {bad[0]}: {target[bad[0]]} cannot be learned\n  empty the cell"
                )
            return Regression(), target
        cells = [None if cell is None else class_name(cell) for cell in self.column(rows, column)]
        classes = [class_name(c) for c in about.get("classes") or []] or ordered({c for c in cells if c is not None})
        if len(classes) < 2:
            raise DataError(
                f"column '{column}': a classification needs two classes or more, but it has {classes}"
                f"\n  to go on: another column, dataset.tasks.{name}.column=NAME, or kind: regression"
            )
        number = {c: k for k, c in enumerate(classes)}
        for row, cell in enumerate(cells):
            if cell is not None and cell not in number:
                raise DataError(
                    f"column '{column}', row {row}: '{cell}' is not among the classes of task '{name}'\n"
                    f"  dataset.tasks.{name}.classes: {', '.join(classes[:20])}"
                )
        return Multiclass(classes), np.array([-1 if c is None else number[c] for c in cells], dtype=np.int64)


def read_table(file: Path) -> pd.DataFrame:
    """Cells as they are written: no cell of a CSV is taken for a number, a date or a null."""
    if not file.exists():
        raise DataError(
            f"{file}: not found\n  looked in {file.parent.resolve()}"
            "\n  to go on: dataset.file=TABLE, dataset.root=DIR (or the variable MMFUSE_DATA, the folder of data sets)"
        )
    suffix = file.suffix.lower()
    if suffix not in (".csv", ".tsv", ".jsonl", ".json", ".parquet"):
        raise DataError(f"{file.name}: a table is .csv, .tsv, .jsonl or .parquet, not '{suffix}'")
    try:
        if suffix == ".parquet":
            rows = pd.read_parquet(file)
        elif suffix in (".jsonl", ".json"):
            rows = pd.DataFrame.from_records(json_rows(file))
        else:
            rows = separated(file, "\t" if suffix == ".tsv" else ",")
    except UnicodeDecodeError as error:
        raise DataError(f"{file.name}: not UTF-8 ({error.reason} at byte {error.start})\n  save it as UTF-8") from error
    except (ValueError, OSError) as error:  # pandas' and pyarrow's own errors are of these
        raise DataError(f"{file.name}: cannot be read as {suffix[1:]}: {error}") from error
    if not len(rows):
        raise DataError(f"{file.name}: it has no rows\n  to go on: dataset.file=TABLE, one with rows under its header")
    return rows


def separated(file: Path, separator: str) -> pd.DataFrame:
    """A CSV or TSV, every line of which has as many cells as the header: pandas shifts or fills others unseen."""
    with open(file, encoding="utf-8-sig", newline="") as text:
        lines = csv.reader(text, delimiter=separator)
        header = next(lines, [])
        if twice := [name for k, name in enumerate(header) if name in header[:k]]:
            raise DataError(f"{file.name}: two columns are called '{twice[0]}'\n  to go on: give each its own name")
        for line in lines:
            if line and len(line) != len(header):
                raise DataError(
                    f"{file.name}, line {lines.line_num}: {len(line)} cells, but the header has {len(header)}"
                    f"\n  to go on: mend that line; a cell that holds '{separator}' stands in quotes"
                )
    return pd.read_csv(file, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False)


def json_rows(file: Path) -> list[dict[str, Any]]:
    """An object a line, or one list of objects."""
    text = file.read_text(encoding="utf-8-sig")
    rows = json.loads(text) if text.lstrip().startswith("[{") else []
    for number, line in enumerate(() if rows else text.splitlines(), start=1):
        try:
            row = json.loads(line) if line.strip() else {}
        except ValueError as error:
            raise DataError(f"{file.name}, line {number}: not JSON ({error})") from error
        if not isinstance(row, dict):
            raise DataError(f'{file.name}, line {number}: an object is needed, such as {{"text": "good", "label": 1}}')
        rows += [row] if row else []
    return rows


def as_list(cell: str) -> bool:
    return cell.lstrip().startswith("[")


def empty(cell: Any) -> bool:
    return (
        cell is None
        or (isinstance(cell, str) and not cell.strip())
        or (isinstance(cell, float) and bool(np.isnan(cell)))
    )


def class_name(cell: Any) -> str:
    """
    >>> class_name(3.0), class_name(" yes "), class_name(True)
    ('3', 'yes', 'True')
    """
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).strip()


def ordered(names: set[str]) -> list[str]:
    """Numbers by size, other names by the alphabet.

    >>> ordered({"10", "9", "-1"}), ordered({"b", "a"})
    (['-1', '9', '10'], ['a', 'b'])
    """
    try:
        return sorted(names, key=lambda name: (float(name), name))
    except ValueError:
        return sorted(names)
