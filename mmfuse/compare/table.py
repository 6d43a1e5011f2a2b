"""What a comparison says, before it is written down in one format or another."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mmfuse.compare.folding import Row
from mmfuse.compare.reading import LeftOut
from mmfuse.metrics.direction import less


class Figure(NamedTuple):
    """Over a row's models."""

    mean: float | None
    std: float | None  # None of one model
    low: float | None
    high: float | None
    values: list[float | None]


class Tested(NamedTuple):
    """A row against the reference; mmfuse/metrics/paired.py says how."""

    difference: float  # of the row over the reference
    low: float
    high: float
    p: float
    detectable: float
    p_holm: float  # as p counts among all that were tested


class Line(NamedTuple):
    row: Row
    settings: list[str]  # one a column
    data: str  # a letter: lines of one letter were tested on the same rows
    figures: dict[str, Figure]  # a figure that the row does not have is not there
    tests: dict[str, Tested]  # against the reference


class Table(NamedTuple):
    task: str
    metrics: list[str]
    columns: list[str]
    lines: list[Line]

    @property
    def several(self) -> bool:
        """Whether not all of it was tested on the same rows."""
        return len({line.data for line in self.lines}) > 1

    @property
    def tested(self) -> list[str]:
        """The figures that a test was made of."""
        return [m for m in self.metrics if any(m in line.tests for line in self.lines)]

    def best(self, metric: str) -> list[Line]:
        """The lines with the best mean of those tested on the same rows; none where there is nothing to choose."""
        letters = dict.fromkeys(line.data for line in self.lines)
        return [line for letter in letters for line in best_of([x for x in self.lines if x.data == letter], metric)]


class Comparison(NamedTuple):
    tables: list[Table]
    reference: str | None  # the label of the row that the others are tested against
    notes: list[str]
    left: list[LeftOut]  # the runs that are not finished

    def rows(self) -> Iterator[Row]:
        seen: dict[str, Row] = {line.row.label: line.row for table in self.tables for line in table.lines}
        yield from seen.values()


def best_of(lines: Sequence[Line], metric: str) -> list[Line]:
    means = [(line.figures[metric].mean, line) for line in lines if metric in line.figures]
    known = [(mean, line) for mean, line in means if mean is not None]
    if len(known) < 2:
        return []
    top = (min if less(metric) else max)(mean for mean, _ in known)
    return [line for mean, line in known if mean == top]
