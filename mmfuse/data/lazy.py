"""A column that lies on disk: values are read when they are asked for."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import numpy as np

CHUNK = 512  # rows that are read at a time where one goes through all of them


class Lazy(Sequence[Any]):
    def __init__(
        self,
        read: Callable[[Sequence[int]], list[Any]],
        rows: Sequence[int],
        fingerprint: str | Callable[[], str],
        missing: np.ndarray,
    ):
        """`read` gives the values of some of `rows`; the fingerprint, or a call of it, stands for the contents of all.

        `missing` tells of each row, (N,), whether it has no value; `read` gives None there.
        """
        self.read, self.rows, self.missing = read, rows, missing
        self.identity = fingerprint

    @property
    def fingerprint(self) -> str:
        return self.identity if isinstance(self.identity, str) else self.identity()

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, row: int) -> Any: ...
    @overload
    def __getitem__(self, row: slice) -> list[Any]: ...
    def __getitem__(self, row: int | slice) -> Any:
        return self.read(self.rows[row]) if isinstance(row, slice) else self.read([self.rows[row]])[0]

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(self), CHUNK):
            yield from self[start : start + CHUNK]

    def of(self, rows: Sequence[int]) -> "Lazy":
        """Some of its rows, still on disk."""
        return Lazy(self.read, [self.rows[row] for row in rows], self.identity, self.missing[list(rows)])
