"""A table's rows as they stand in its file: CSV, TSV, JSONL, JSON or Parquet (a file, or a folder of shards)."""

import codecs
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
from pyarrow import csv

from mmfuse.errors import DataError

SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".parquet")


def read_rows(file: Path, encoding: str = "utf-8", option: str = "dataset.encoding=") -> pd.DataFrame:
    """Cells as they are written: no cell of a CSV is taken for a number, a date or a null.

    `option` is how another encoding is said, for messages.
    """
    if not file.exists():
        raise DataError(
            f"{file}: not found\n  looked in {file.parent.resolve()}"
            "\n  to go on: dataset.file=TABLE, dataset.root=DIR (or the variable MMFUSE_DATA, the folder of data sets)"
        )
    suffix = ".parquet" if file.is_dir() and list(file.glob("*.parquet")) else file.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(f"{file.name}: a table is .csv, .tsv, .jsonl, .json or .parquet, not '{suffix}'")
    try:
        if suffix == ".parquet":
            rows = pd.read_parquet(file)
        elif suffix in (".jsonl", ".json"):
            rows = pd.DataFrame.from_records(json_rows(file, encoding, option))
        else:
            rows = separated(file, "\t" if suffix == ".tsv" else ",", encoding, option)
    except (ValueError, OSError) as error:  # pandas' and pyarrow's own errors are of these
        raise DataError(f"{file.name}: cannot be read as {suffix[1:]}: {error}") from error
    if not len(rows):
        raise DataError(f"{file.name}: it has no rows\n  to go on: dataset.file=TABLE, one with rows under its header")
    return rows


def separated(file: Path, separator: str, encoding: str, option: str = "dataset.encoding=") -> pd.DataFrame:
    """A CSV or TSV, every line of which has as many cells as the header: other readers shift or fill such lines."""
    text = decoded(file, encoding, option, headers=1)
    if text.count('"') % 2:
        raise DataError(f"{file.name}: a quote is opened and never closed, which would swallow the lines after it")
    unequal: list[csv.InvalidRow] = []

    def refuse(row: csv.InvalidRow) -> str:
        unequal.append(row)
        return "skip"  # for now: the first one is told below

    table = csv.read_csv(
        pyarrow.py_buffer(text.encode()),
        csv.ReadOptions(use_threads=False, block_size=max(1 << 24, longest(text))),
        csv.ParseOptions(delimiter=separator, newlines_in_values='"' in text, invalid_row_handler=refuse),
        csv.ConvertOptions(column_types=dict.fromkeys(header(text, separator), pyarrow.string())),
    )
    names = table.column_names
    if twice := [name for k, name in enumerate(names) if name in names[:k]]:
        raise DataError(f"{file.name}: two columns are called '{twice[0]}'\n  to go on: give each its own name")
    if unequal:
        raise DataError(
            f"{file.name}, line {unequal[0].number}: {unequal[0].actual_columns} cells, but the header has"
            f" {unequal[0].expected_columns}{f' (and {len(unequal) - 1} more lines like it)' * (len(unequal) > 1)}"
            f"\n  to go on: mend that line; a cell that holds '{separator}' stands in quotes"
        )
    return pd.DataFrame({name: table[name].to_pylist() for name in names}, dtype=object)


def header(text: str, separator: str) -> list[str]:
    line = text[: text.find("\n") if "\n" in text else len(text)]
    read = csv.read_csv(pyarrow.py_buffer((line + "\n").encode()), parse_options=csv.ParseOptions(delimiter=separator))
    return read.column_names


def longest(text: str) -> int:
    """Bytes that its longest row may take; a cell may hold several lines."""
    return 64 * max((len(line) for line in text.splitlines()), default=0) if len(text) > 1 << 22 else 4 * len(text)


def decoded(file: Path, encoding: str, option: str, headers: int) -> str:
    """Its text; an error names the first line that is not in the encoding. `headers` lines stand above the rows."""
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise DataError(f"{option}{encoding}: there is no such encoding\n  such as utf-8, gb18030") from error
    data = file.read_bytes()
    try:
        return data.decode("utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        row = f"row {line - 1 - headers}" if line > headers else "the header"
        raise DataError(
            f"{file.name}, line {line} ({row}): not {encoding.upper()} ({error.reason} at byte {error.start})"
            f"\n  to go on: {likely(data, encoding, option)}, or save all of it as UTF-8"
        ) from error


def likely(data: bytes, encoding: str, option: str) -> str:
    """Which encoding the whole of it is in, of those that tables come in."""
    for other in ("utf-8", "gb18030", "cp1252"):
        try:
            data.decode(other)
        except UnicodeDecodeError:
            continue
        if other == "cp1252" and any(not line.isascii() and is_utf8(line) for line in data.splitlines()):
            break  # which takes nearly any bytes, those of mixed encodings, too
        if other != codecs.lookup(encoding).name:
            return f"{option}{other}"
    return "its lines are in several encodings: write them in one"


def is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def json_rows(file: Path, encoding: str, option: str) -> list[dict[str, Any]]:
    """An object a line, or one list of objects."""
    text = decoded(file, encoding, option, headers=0)
    rows = json.loads(text) if text.lstrip().startswith("[") else []
    for number, line in enumerate(() if rows else text.splitlines(), start=1):
        try:
            row = json.loads(line) if line.strip() else {}
        except ValueError as error:
            raise DataError(f"{file.name}, line {number}: not JSON ({error})") from error
        if not isinstance(row, dict):
            raise DataError(f'{file.name}, line {number}: an object is needed, such as {{"text": "good", "label": 1}}')
        rows += [row] if row else []
    return rows
