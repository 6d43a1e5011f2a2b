"""A table of results as a file of whatever kind its suffix names, whole or not there."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmfuse.atomic import finite, write
from mmfuse.errors import ConfigError

SUFFIXES = (".csv", ".jsonl", ".parquet")


def check_place(file: Path, option: str) -> None:
    """Told before anything is computed: a kind of file that is not written, a folder that is not there."""
    if file.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{option} {file}: predictions are written as {', '.join(SUFFIXES)}, not '{file.suffix}'")
    if not file.parent.is_dir():
        raise ConfigError(f"{option} {file}: there is no folder {file.parent}\n  to go on: mkdir -p {file.parent}")
    if file.is_dir():
        raise ConfigError(f"{option} {file}: this is a folder")


def save(file: Path, table: pd.DataFrame) -> None:
    """Numbers keep all their digits. A null is an empty cell of a CSV, where a list is JSON."""
    kind = file.suffix.lower()

    def written(beside: Path) -> None:
        if kind == ".parquet":
            table.to_parquet(beside, index=False)
        elif kind == ".csv":
            table.map(cell).to_csv(beside, index=False)
        else:
            lines = (json.dumps(finite(plain(row)), ensure_ascii=False) for row in table.to_dict("records"))
            beside.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    try:
        write(file, written)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror or error}\n  to go on: -o elsewhere") from error


def cell(value: Any) -> Any:
    """
    >>> cell(["a", "b"]), cell(0.5)
    ('["a", "b"]', 0.5)
    """
    return json.dumps(finite(plain(value)), ensure_ascii=False) if isinstance(value, list | np.ndarray) else value


def plain(value: Any) -> Any:
    """
    >>> plain({"a": np.float64(0.5), "b": np.array([1, 2])})
    {'a': 0.5, 'b': [1, 2]}
    """
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
