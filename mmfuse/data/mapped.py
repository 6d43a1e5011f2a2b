"""Columns of Arrow files, which are mapped and not read into memory.

A page of a mapped file counts as the process's own from when it is first read. So the files are mapped anew after every
so many bytes: a data set of any size then keeps to the memory of a small one. It takes some milliseconds.
"""

import pickle
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datasets

READ = 1 << 27  # bytes, after which the files are mapped anew
AROUND = 1 << 16  # bytes that the kernel maps about a page that is read


class Mapped:
    def __init__(self, rows: "datasets.Dataset", column: str):
        self.rows, self.column = rows.select_columns([column]), column
        each = self.rows.data.nbytes // max(1, len(rows))
        self.every = READ // max(AROUND, each) if rows.cache_files else None  # rows; None: they are in memory
        self.taken = 0

    def take(self, wanted: Sequence[int]) -> Any:
        """The cells of these rows: a list, or an array."""
        self.taken += len(wanted)
        if self.every is not None and self.taken > self.every:
            self.rows, self.taken = pickle.loads(pickle.dumps(self.rows)), 0  # which names the files, and opens them
        return self.rows[list(wanted)][self.column]
