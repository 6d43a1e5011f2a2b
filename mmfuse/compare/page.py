"""Several runs as one page: the table, the settings that differ and what they go with, verdicts, runs that failed."""

import json
from collections.abc import Sequence
from pathlib import Path

from mmfuse.compare.charts import main_effects, parallel
from mmfuse.compare.effects import comparable, effects
from mmfuse.compare.grid import grid
from mmfuse.compare.table import Comparison, Figure, Line, Tested
from mmfuse.compare.table import Table as Compared
from mmfuse.report.blocks import Block, Cell, Chart, Entry, Prose, Section, Table
from mmfuse.report.page import page as framed
from mmfuse.wording import number, signed

DESCRIPTIVE = (
    "Each point is the mean over the rows with this value, whatever their other settings are; the line is a 95 % "
    "bootstrap interval over rows. It describes these runs and tests nothing: where settings were not all tried with "
    "each other, what one seems to do may be another's doing."
)


def page(about: Comparison) -> str:
    return framed("Comparison", sections(about), counted(about))


def sections(about: Comparison) -> list[Section]:
    return [tables(about), axes(about), values(about), verdicts(about), unfinished(about)]


def counted(about: Comparison) -> str:
    """The line under the title."""
    rows = list(about.rows())
    return f"{len(rows)} rows of {sum(len(row.parts) for row in rows)} trained models"


def tables(about: Comparison) -> Section:
    blocks: list[Block] = []
    for table in about.tables:
        words = grid(table)
        heads = words.heads
        rows = [
            line_of(table, line, [word.text for word in row]) for line, row in zip(table.lines, words.rows, strict=True)
        ]
        best = [n for n, line in enumerate(table.lines) if line in table.best(table.metrics[0])]
        blocks.append(Table(heads, rows, f"task {table.task}", best))
    blocks += [Prose(note, note=True) for note in about.notes]
    return Section("table", "Figures", blocks)


def line_of(table: Compared, line: Line, texts: Sequence[str]) -> list[Entry]:
    """Figures sort by their mean, settings by their number where they are numbers."""
    count = len(table.metrics) + 3 * len(table.tested)
    known: list[Entry] = [Cell(text, sortable(text)) for text in texts[: len(texts) - count]]
    values = [mean(line.figures.get(m)) for m in table.metrics]
    for m in table.tested:
        values += changes(line.tests.get(m))
    return [*known, *(Cell(text, value) for text, value in zip(texts[len(texts) - count :], values, strict=True))]


def sortable(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def mean(figure: Figure | None) -> float | None:
    return None if figure is None else figure.mean


def changes(test: Tested | None) -> list[float | None]:
    return [None, None, None] if test is None else [test.difference, test.p_holm, test.detectable]


def axes(about: Comparison) -> Section:
    blocks: list[Block] = []
    for table in about.tables:
        metric = table.metrics[0]
        lines = comparable(table, metric)
        if len(lines) > 1 and table.columns:
            said = f"{len(lines)} rows by {', '.join(table.columns)}, coloured by {metric}"
            title = f"{metric} of {table.task}, by what differs"
            blocks.append(Chart(f"parallel-{table.task}", title, parallel(table.columns, lines, metric), said))
            blocks += [Prose(left_aside(table, lines), note=True)] if len(lines) < len(table.lines) else []
    return Section("axes", "Settings", blocks, "fewer than two rows, or nothing that differs")


def left_aside(table: Compared, lines: Sequence[Line]) -> str:
    return f"{len(table.lines) - len(lines)} rows on other data, or without the figure, are left out."


def values(about: Comparison) -> Section:
    blocks: list[Block] = []
    for table in about.tables:
        metric = table.metrics[0]
        lines = comparable(table, metric)
        found = effects(table.columns, lines, metric) if len(lines) > 2 else []
        if found:
            said = f"mean {metric} for each value of {', '.join(dict.fromkeys(e.setting for e in found))}"
            title = f"{metric} of {table.task}, by each setting"
            blocks.append(Chart(f"effects-{table.task}", title, main_effects(found, metric), said))
            cells = [
                [e.setting, Cell(e.value, sortable(e.value)), Cell(str(e.rows), float(e.rows)), e.mean, e.low, e.high]
                for e in found
            ]
            blocks.append(Table(["setting", "value", "rows", metric, "low", "high"], cells))
    return Section("effects", "Main effects", [Prose(DESCRIPTIVE), *blocks] if blocks else [], "it takes three rows")


def verdicts(about: Comparison) -> Section:
    rows: list[list[Entry]] = []
    for row in about.rows():
        for run in row.runs:
            for task, table in (run.metrics.get("verdict") or {}).items():
                test = table["against"][table["best"]]
                change, p = test["difference"], test["p_holm"]
                interval = (
                    f" [{', '.join(signed(bound) for bound in test['ci95'])}]" if None not in test["ci95"] else ""
                )
                cells = [Cell(f"{signed(change)}{interval}", change), Cell(number(p), p)]
                rows.append([run.folder.name, task, table["verdict"], table["best"], table["figure"], *cells])
    heads = ["run", "task", "fusion", "best single modality", "figure", "difference", "p (Holm)"]
    return Section(
        "verdicts", "Verdicts", [Table(heads, rows)] if rows else [], "no run was trained with baselines=true"
    )


def unfinished(about: Comparison) -> Section:
    rows: list[list[Entry]] = [[left.folder.name, left.why, error(left.folder)] for left in about.left]
    return Section(
        "unfinished", "Not finished", [Table(["run", "state", "error"], rows)] if rows else [], "every run is"
    )


def error(folder: Path) -> str:
    """What the run's status says of its end."""
    try:
        return str(json.loads((folder / "status.json").read_bytes()).get("error", ""))
    except (OSError, ValueError, AttributeError):
        return ""
