"""Parquet files or WebDataset archives, each a shard, read row after row by Hugging Face's `datasets`.

A sample of a WebDataset archive is what its files of one stem hold, by their extensions; `json.label` is a field of its
json. Nothing is downloaded, and what is in memory at a time is a row group or a sample.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from tarfile import TarError
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow.parquet as pq

from mmfuse.data.cells import empty
from mmfuse.data.hub import class_names, renamed
from mmfuse.errors import ConfigError, DataError, offer

if TYPE_CHECKING:
    import datasets

READERS = {".parquet": "parquet", ".tar": "webdataset"}
TOGETHER = 32  # rows that are turned from Arrow into Python's own at a time
BROKEN = (OSError, ValueError, RuntimeError, KeyError, TypeError, TarError)  # what the libraries say of broken files


class Row(NamedTuple):
    shard: int  # which of the files
    at: int  # which of its rows, both counted from 0
    cells: Mapping[str, Any]

    @property
    def number(self) -> int:
        """One number for both, so that no two rows share one."""
        return self.shard << 32 | self.at


class ShardFiles:
    def __init__(self, files: Sequence[Path], columns: Sequence[str]):
        """All of one kind, .parquet or .tar; of the former only these columns are read."""
        if len(kinds := {file.suffix for file in files}) != 1 or not kinds <= set(READERS):
            raise ConfigError(f"shards are .parquet or .tar files, all of one kind, but there are {sorted(kinds)}")
        self.files, self.suffix = list(files), kinds.pop()
        self.columns = sorted(set(columns))

    def __len__(self) -> int:
        return len(self.files)

    @cached_property
    def counts(self) -> list[int | None]:
        """The rows of each shard; None of an archive, which would have to be read for that."""
        if self.suffix == ".tar":
            return [None] * len(self)
        try:
            return [pq.read_metadata(file).num_rows for file in self.files]
        except BROKEN as error:
            raise DataError(f"dataset.path: a shard cannot be read: {str(error).splitlines()[0][:200]}") from error

    @property
    def rows(self) -> int | None:
        counts = [count for count in self.counts if count is not None]
        return sum(counts) if len(counts) == len(self) else None

    @property
    def fingerprint(self) -> str:
        """Of the files' names and sizes."""
        said = "\n".join(f"{file.name} {file.stat().st_size}" for file in self.files)
        return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()

    @cached_property
    def opened(self) -> "datasets.IterableDataset":
        whole = opened(self.suffix, self.files, None)
        bases = sorted({base(column, list(whole.features or ())) for column in self.columns})
        for column in bases:
            if column not in (whole.features or ()):
                raise DataError(
                    f"{self.files[0].name} has no column '{column}'"
                    f"\n  {offer(column, list(whole.features or ()), 'its columns')}"
                )
        if self.suffix == ".parquet":  # which leaves the others on disk
            return opened(self.suffix, self.files, bases).decode(False)
        return whole.select_columns(bases).decode(False)

    @cached_property
    def classes(self) -> dict[str, list[str] | None]:
        """By column: the names of its class labels in the data set's own order, None where it has none."""
        return {column: class_names(self.opened, column) for column in self.columns}

    def read(self, shard: int, start: int = 0) -> Iterator[Row]:
        """The rows of one file from this one on."""
        try:
            one = self.opened.shard(num_shards=len(self), index=shard, contiguous=True)
            at = start
            for batch in one.skip(start).iter(batch_size=TOGETHER):
                for cells in zip(*batch.values(), strict=True):
                    yield Row(shard, at, self.named(dict(zip(batch, cells, strict=True))))
                    at += 1
        except BROKEN as error:
            said = (str(error) or type(error).__name__).splitlines()[0][:200]
            raise DataError(f"{self.files[shard]}: row {at} or one soon after cannot be read: {said}") from error

    def named(self, cells: Mapping[str, Any]) -> dict[str, Any]:
        """By column as the config says it, class numbers as class names, None where there is nothing."""
        found = {}
        for column in self.columns:
            name, *fields = [column] if column in cells else column.split(".")
            cell = cells[name]
            for field in fields:
                cell = cell.get(field) if isinstance(cell, Mapping) else None
            names = self.classes[column]
            cell = cell if names is None else renamed(cell, names)
            found[column] = None if empty(cell) else cell
        return found


def base(column: str, have: Sequence[str]) -> str:
    """The column that is read for it.

    >>> base("json.label", ["json", "jpg"]), base("v.mp4", ["v.mp4", "v"])
    ('json', 'v.mp4')
    """
    return column if column in have else column.split(".")[0]


def opened(suffix: str, files: Sequence[Path], columns: Sequence[str] | None) -> "datasets.IterableDataset":
    try:
        import datasets
    except ImportError as error:
        raise ConfigError("dataset=shards needs the package datasets\n  to go on: pip install 'mmfuse[hf]'") from error
    datasets.disable_progress_bars()
    names = {"train": [str(file.resolve()) for file in files]}
    some = {} if columns is None else {"columns": list(columns)}
    try:
        return datasets.load_dataset(READERS[suffix], data_files=names, split="train", streaming=True, **some)
    except (*BROKEN, StopIteration, IndexError) as error:
        said = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise DataError(f"{files[0].parent}: shards cannot be opened: {said}") from error


def found(root: Path, patterns: Mapping[str, str] | None, aliases: Mapping[str, str]) -> dict[str, list[Path]]:
    """By split: its shards, by a pattern under the folder, or by what names of files or folders begin with."""
    parts: dict[str, list[Path]] = {"train": [], "val": [], "test": []}
    if patterns:
        for split, pattern in patterns.items():
            if split not in parts:
                raise ConfigError(f"dataset.files: {offer(split, parts, 'splits are')}")
            parts[split] = sorted(root.glob(pattern))
    else:
        for file in sorted(f for f in root.rglob("*") if f.suffix in READERS):
            for name in file.relative_to(root).parts:
                if named := aliases.get(re.split(r"[^a-z]", name.lower(), maxsplit=1)[0]):
                    parts[named].append(file)
                    break
    for split, files in parts.items():
        if not files:
            sought = (patterns or {}).get(split) or f"{split}*.parquet or {split}*.tar"
            raise DataError(
                f"{root}: no shards of the {split} split, {sought}\n"
                "  to go on: dataset.path=DIR, or 'dataset.files={train: a*.tar, val: b*.tar, test: c*.tar}'"
            )
    return parts
