"""What a page is made of, before anybody says how it looks: prose, tables, charts, code, in sections.

Text is text: whatever stands in it is escaped by who writes it out. Only Markup is written as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mmfuse.wording import number

Tone = Literal["good", "bad", "open"]


@dataclass(frozen=True)
class Cell:
    """What a cell shows, what it is sorted by where that is another thing, and what stands under it."""

    text: str
    value: float | int | str | None = None
    under: str = ""  # a second line, in small print


Entry = Cell | str | float | int | None


@dataclass(frozen=True)
class Prose:
    text: str
    note: bool = False  # an aside, in small print


@dataclass(frozen=True)
class Banner:
    """What matters most, large: a word on it and a sentence."""

    word: str
    sentence: str
    tone: Tone = "open"
    label: str = ""


@dataclass(frozen=True)
class Table:
    columns: Sequence[str]
    rows: Sequence[Sequence[Entry]]
    caption: str = ""
    strong: Sequence[int] = ()  # rows that stand out


@dataclass(frozen=True)
class Chart:
    """A Vega-Lite spec. `name` is its file among the figures, `said` what it shows, for who cannot see it."""

    name: str
    title: str
    spec: Mapping[str, Any]
    said: str
    fixed: bool = False  # as wide as its spec says; else as wide as there is room


@dataclass(frozen=True)
class Beside:
    """Charts side by side where there is room."""

    charts: Sequence[Chart]


@dataclass(frozen=True)
class Code:
    text: str


@dataclass(frozen=True)
class Folded:
    """Shown on request."""

    title: str
    blocks: Sequence["Block"]


@dataclass(frozen=True)
class Markup:
    """HTML that is known to be harmless, and what Markdown has in its place."""

    html: str
    plain: Table | str


Block = Prose | Banner | Table | Chart | Beside | Code | Folded | Markup


@dataclass(frozen=True)
class Section:
    """With no blocks it is named among what is not there, with `absent` as the reason."""

    id: str
    title: str
    blocks: Sequence[Block] = ()
    absent: str = ""


def shown(entry: Entry) -> str:
    """
    >>> shown(0.9561), shown(12), shown(None), shown(Cell("a", 3)), shown(float("nan"))
    ('.956', '12', '', 'a', 'n/a')
    """
    if isinstance(entry, Cell):
        return entry.text
    if isinstance(entry, float):
        return number(entry if entry == entry else None)
    return "" if entry is None else str(entry)


def sorts_by(entry: Entry) -> float | int | str | None:
    return (entry.text if entry.value is None else entry.value) if isinstance(entry, Cell) else entry


def numeric(table: Table) -> list[bool]:
    """Which columns are of numbers, which stand under one another at the right.

    >>> numeric(Table(["a", "b"], [["x", 1], ["y", None]]))
    [False, True]
    """
    columns = [[sorts_by(row[k]) for row in table.rows] for k in range(len(table.columns))]
    known = [[value for value in values if value not in (None, "")] for values in columns]
    return [bool(values) and all(isinstance(value, float | int) for value in values) for values in known]


def charts(sections: Sequence[Section]) -> list[Chart]:
    """All of them, in order."""
    return [chart for section in sections for block in section.blocks for chart in within(block)]


def within(block: Block) -> list[Chart]:
    if isinstance(block, Chart):
        return [block]
    if isinstance(block, Beside):
        return list(block.charts)
    return [chart for inner in block.blocks for chart in within(inner)] if isinstance(block, Folded) else []


def under(entry: Entry) -> str:
    return entry.under if isinstance(entry, Cell) else ""
