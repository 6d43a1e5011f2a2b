"""Raw values become tensors, once; what is missing is counted, and what cannot be read is an error unless it may be."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.data.columns import Column, Stored, Streamed
from mmfuse.data.lazy import Lazy
from mmfuse.errors import DataError
from mmfuse.types import Examples, Preparation, Ragged, Unreadable, UnreadableError

SAMPLE = 32  # rows that are decoded to tell how much memory all would take


class Reader:
    """Reads the raw values of one modality, and keeps account of those that it cannot read: they count as missing."""

    def __init__(self, modality: str, examples: Examples, forgiving: bool):
        """Files that are not there are missing values. Broken ones are an error, unless the reader is `forgiving`."""
        self.modality, self.forgiving = modality, forgiving
        self.column, self.ids = examples.columns[modality], examples.ids
        self.raw = examples.raw[modality]
        self.failures: dict[int, Unreadable] = {}  # by row

    def __len__(self) -> int:
        return len(self.raw)

    def values(self, rows: Sequence[int]) -> Sequence[Any]:
        """The raw values of these rows, None for those that could not be read; still on disk if they are many."""
        if isinstance(self.raw, Lazy) and not self.failures and len(rows) > SAMPLE:
            return self.raw.of(rows)
        return [None if row in self.failures else self.raw[row] for row in rows]

    def read(self, do: Callable[[Sequence[Any]], Any], rows: Sequence[int]) -> Any:
        """`do` with the raw values of these rows, without those that it cannot read."""
        try:
            return do(self.values(rows))
        except UnreadableError as error:
            for failure in error.failures:
                row = int(rows[failure.row])
                self.failures[row] = failure._replace(row=row)
            return self.read(do, rows)  # what reads chunk by chunk meets the next one's failures now

    def stream(self, preparation: Preparation, rows: Sequence[int]) -> Ragged:
        """What a batch is made of, long after training began."""
        taken = self.read(preparation, rows)
        self.check()
        return taken

    def check(self) -> None:
        """Refuses what is there and cannot be read, unless it may count as missing."""
        broken = [failure for failure in self.failures.values() if not failure.absent]
        if broken and not self.forgiving:
            first = min(broken)
            have = len(self) if isinstance(self.raw, Lazy) else sum(value is not None for value in self.raw)
            raise DataError(
                f"{len(broken)} of {have} values in column"
                f" '{self.column}' (modality '{self.modality}') cannot be read;"
                f" the first: {first.value} (row {first.row}): {first.reason}\n"
                "  to go on: mend it, or dataset.missing.unreadable=missing"
            )

    def check_share(self, present: np.ndarray, max_frac: float) -> None:
        """Refuses a modality that too many rows lack: (N,) booleans."""
        lacking = int((~present).sum())
        if lacking <= max_frac * len(present):
            return
        lost = [failure for failure in self.failures.values() if failure.absent]
        why = f"; {len(lost)} files not found, the first {min(lost).value} (row {min(lost).row})" if lost else ""
        raise DataError(
            f"{lacking} of {len(present)} rows lack the modality '{self.modality}' (column '{self.column}'),"
            f" more than dataset.missing.max_frac={max_frac:g}{why}\n"
            f"  to go on: {'dataset.media_root=DIR if they lie elsewhere, ' * bool(lost)}"
            f"modalities=[...] without it, or dataset.missing.max_frac=1"
        )

    def check_some(self, present: np.ndarray, rows: Sequence[int]) -> None:
        if not present[rows].any():
            raise DataError(
                f"no training row has the modality '{self.modality}' in a form that can be read"
                "\n  to go on: modalities=[...] without it, or look at its column and dataset.media_root"
            )


def column(reader: Reader, preparation: Preparation, memory_gb: float) -> tuple[Column, np.ndarray]:
    """All rows as tensors, and which of them have the modality, (N,).

    Values that lie on disk stay there if, prepared, they would take too much memory.
    """
    rows = range(len(reader))
    lying = rows if isinstance(reader.raw, Lazy) else [row for row in rows if on_disk(reader.raw[row])]
    if lying:
        sample = lying[:: max(1, len(lying) // SAMPLE)]
        taken: Ragged = reader.read(preparation, sample)
        if taken.data.nbytes / len(sample) * len(lying) > memory_gb * 2**30:
            if not isinstance(reader.raw, Lazy):
                reader.read(exist, lying)  # that much can be told before training
            present = np.array([row not in reader.failures for row in rows])
            if not isinstance(reader.raw, Lazy):
                present &= np.array([value is not None for value in reader.raw])
            return Streamed(partial(reader.stream, preparation)), present
    ragged = reader.read(preparation, rows)
    return Stored(ragged), ragged.present.numpy()


def on_disk(value: Any) -> bool:
    return isinstance(value, Path | np.memmap)


def exist(values: Sequence[Any]) -> None:
    lost = [
        Unreadable(row, str(value), "not found", absent=True)
        for row, value in enumerate(values)
        if isinstance(value, Path) and not value.exists()
    ]
    if lost:
        raise UnreadableError(lost)
