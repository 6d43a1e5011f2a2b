"""Raw values become tensors, once; what cannot be read is counted, and is an error or a missing modality."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mmfuse.data.columns import Column, Stored, Streamed
from mmfuse.errors import DataError
from mmfuse.types import Examples, Preparation, Ragged, Unreadable, UnreadableError

SAMPLE = 32  # rows that are decoded to tell how much memory all would take


class Reader:
    """Reads the raw values of one modality; takes those that cannot be read for missing, and keeps account of them."""

    def __init__(self, modality: str, examples: Examples, mask: bool):
        self.modality, self.examples, self.mask = modality, examples, mask
        self.raw = list(examples.raw[modality])
        self.failures: dict[int, Unreadable] = {}  # by row

    def read(self, do: Callable[[Sequence[Any]], Any], rows: Sequence[int]) -> Any:
        """`do` with the raw values of these rows, without those that it cannot read."""
        try:
            return do([self.raw[row] for row in rows])
        except UnreadableError as error:
            for failure in error.failures:
                row = int(rows[failure.row])
                self.failures[row] = failure._replace(row=row)
                self.raw[row] = None
            return do([self.raw[row] for row in rows])

    def stream(self, preparation: Preparation, rows: Sequence[int]) -> Ragged:
        """What a batch is made of, long after training began."""
        taken = self.read(preparation, rows)
        self.check()
        return taken

    def check(self) -> None:
        """Refuses what could not be read, unless it may count as missing; refuses if nothing is left."""
        if self.failures and not self.mask:
            first, have = self.failures[min(self.failures)], sum(value is not None for value in self.raw)
            path = isinstance(self.examples.raw[self.modality][first.row], Path)
            raise DataError(
                f"{len(self.failures)} of {have + len(self.failures)} values in column"
                f" '{self.examples.columns[self.modality]}' (modality '{self.modality}') cannot be read;"
                f" the first: {first.value} (row {first.row}): {first.reason}\n"
                f"  to go on: dataset.missing.policy=mask{', or dataset.media_root=DIR if they lie elsewhere' * path}"
            )

    def check_some(self, rows: Sequence[int]) -> None:
        if all(self.raw[row] is None for row in rows):
            raise DataError(
                f"no training row has the modality '{self.modality}' in a form that can be read"
                "\n  to go on: modalities=[...] without it, or look at its column and dataset.media_root"
            )


def column(reader: Reader, preparation: Preparation, memory_gb: float) -> Column:
    """All rows as tensors; those that lie in files stay there if they would take too much memory."""
    rows = range(len(reader.raw))
    files = [row for row in rows if isinstance(reader.raw[row], Path)]
    if files:
        sample = files[:: max(1, len(files) // SAMPLE)]
        taken: Ragged = reader.read(preparation, sample)
        if taken.data.nbytes / len(sample) * len(files) > memory_gb * 2**30:
            reader.read(exist, files)  # that much can be told before training
            return Streamed(partial(reader.stream, preparation))
    return Stored(reader.read(preparation, rows))


def exist(files: Sequence[Path | None]) -> None:
    lost = [Unreadable(row, str(f), "not found") for row, f in enumerate(files) if f is not None and not f.exists()]
    if lost:
        raise UnreadableError(lost)
