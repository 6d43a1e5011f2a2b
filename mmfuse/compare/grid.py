"""A comparison's table as rows of words, as every format for reading has them."""

from typing import NamedTuple

from mmfuse.compare.table import Figure, Line, Table, Tested
from mmfuse.metrics.direction import less
from mmfuse.wording import number, signed


class Word(NamedTuple):
    text: str
    best: bool = False


class Grid(NamedTuple):
    heads: list[str]
    rows: list[list[Word]]
    numbers: list[int]  # the columns that are figures


def grid(table: Table) -> Grid:
    """A column for what differs and no more: models where a row has several, data where not all have the same."""
    seeds = any(len(line.row.parts) > 1 for line in table.lines)
    heads = ["run", *(["seeds"] if seeds else []), *table.columns, *(["data"] if table.several else [])]
    start = len(heads)
    best = {m: [line.row.label for line in table.best(m)] for m in table.metrics}
    for m in table.metrics:
        heads += [f"{m} {'↓' if less(m) else ''}".strip()]
    for m in table.tested:
        heads += [f"Δ {m}", "p", "could show"]
    rows = []
    for line in table.lines:
        words = [Word(line.row.label), *([Word(models(line))] if seeds else []), *map(Word, line.settings)]
        words += [Word(line.data)] if table.several else []
        words += [Word(spread(line.figures.get(m)), line.row.label in best[m]) for m in table.metrics]
        for m in table.tested:
            words += [Word(text) for text in change(line.tests.get(m))]
        rows.append(words)
    return Grid(heads, rows, list(range(start, len(heads))))


def models(line: Line) -> str:
    """How many seeds, and folds of each."""
    folds = len({part.fold for part in line.row.parts})
    return f"{len(line.row.seeds)}" + (f" × {folds} folds" if folds > 1 else "")


def spread(figure: Figure | None) -> str:
    """
    >>> spread(Figure(0.95, 0.008, 0.93, 0.97, [0.945, 0.955])), spread(None)
    ('.950 ± .008 [.930, .970]', '–')
    """
    if figure is None:
        return "–"
    std = "" if figure.std is None else f" ± {number(figure.std)}"
    known = figure.low is not None and figure.high is not None
    return f"{number(figure.mean)}{std}" + (f" [{number(figure.low)}, {number(figure.high)}]" if known else "")


def change(test: Tested | None) -> list[str]:
    """The difference with its interval, p among all that was tested, the smallest difference that can be found."""
    if test is None:
        return ["", "", ""]
    interval = f"[{signed(test.low)}, {signed(test.high)}]"
    return [f"{signed(test.difference)} {interval}", chance(test.p_holm), number(test.detectable)]


def chance(p: float) -> str:
    """
    >>> chance(0.0123), chance(0.00001), chance(1.0), chance(float("nan"))
    ('.0123', '< .0001', '1.0000', 'n/a')
    """
    if p != p:
        return "n/a"
    return "< .0001" if p < 1e-4 else f"{p:.4f}".removeprefix("0")
