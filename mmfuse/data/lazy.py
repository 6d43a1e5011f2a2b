"""A column that lies on disk: a value is read when it is asked for."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload


class Lazy(Sequence[Any]):
    def __init__(self, read: Callable[[int], Any], rows: Sequence[int], fingerprint: str):
        """`read` gives the value of one of `rows`; the fingerprint stands for the contents of them all."""
        self.read, self.rows, self.fingerprint = read, rows, fingerprint

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, row: int) -> Any: ...
    @overload
    def __getitem__(self, row: slice) -> list[Any]: ...
    def __getitem__(self, row: int | slice) -> Any:
        return [self.read(r) for r in self.rows[row]] if isinstance(row, slice) else self.read(self.rows[row])

    def __iter__(self) -> Iterator[Any]:
        return map(self.read, self.rows)

    def of(self, rows: Sequence[int]) -> "Lazy":
        """Some of its rows, still on disk."""
        return Lazy(self.read, [self.rows[row] for row in rows], self.fingerprint)
