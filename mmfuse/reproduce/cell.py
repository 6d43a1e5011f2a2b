"""One cell: a published figure, ours, and what can be said of both."""

from typing import Any, NamedTuple


class Cell(NamedTuple):
    row: str
    figure: str
    published: float | None
    mark: str  # read | recalled; empty where nothing was published
    source: str
    verdict: str  # PASS | FAIL | UNDERPOWERED | NO DATA | NOT BUILT | NOT RUN | FAILED | REFERENCE | RAN
    why: str
    floor: float | None = None
    mean: float | None = None
    std: float | None = None
    interval: tuple[float, float] | None = None  # 95 %, by the bootstrap over test rows
    seeds: int = 0
    rows: int | None = None  # tested
    error: float | None = None  # standard error that the test set's size gives
    difference: float | None = None
    tolerance: float | None = None

    def state(self) -> dict[str, Any]:
        return self._asdict()
