"""A table beside the paper's: on screen, in Markdown, and as JSON."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from mmfuse import __version__
from mmfuse.reproduce.cell import Cell
from mmfuse.reproduce.figures import figure as figure_of
from mmfuse.reproduce.table import MARKS, Row, Table

HEAD = ("row", "figure", "published", "ours", "difference", "95 %", "n", "error", "floor", "verdict")
NONE = "-"


class Result(NamedTuple):
    table: Table
    cells: Sequence[Cell]
    rows: Sequence[Row]  # those asked for
    notes: Sequence[str]  # such as other counts of rows
    seconds: float
    day: str | None  # of the last run; None where there is none
    machines: Sequence[str] = ()  # what they ran on


def line(cell: Cell) -> tuple[str, ...]:
    figure = figure_of(cell.figure)

    def said(value: float | None, sign: bool = False) -> str:
        if value is None:
            return NONE
        return f"{value:{'+' if sign else ''}.{1 if figure.share else 3}f}"

    ours = NONE
    if cell.mean is not None:
        spread = f" ± {said(cell.std)}" if cell.std is not None else ""
        ours = f"{said(cell.mean)}{spread} ({cell.seeds})"
    band = f" of {said(cell.tolerance)}" if cell.tolerance is not None else ""
    published = NONE if cell.published is None else f"{cell.published:g}{'?' * (cell.mark == 'recalled')}"
    return (
        *(cell.row, cell.figure, published, ours),
        NONE if cell.difference is None else said(cell.difference, sign=True) + band,
        NONE if cell.interval is None else f"[{said(cell.interval[0])}, {said(cell.interval[1])}]",
        *(NONE if cell.rows is None else str(cell.rows), said(cell.error)),
        *(NONE if cell.floor is None else f"{cell.floor:g}", cell.verdict),
    )


def on_screen(result: Result) -> str:
    lines = [HEAD, *(line(cell) for cell in result.cells)]
    widths = [max(len(each[i]) for each in lines) for i in range(len(HEAD))]
    drawn = ["  ".join(word.ljust(width) for word, width in zip(each, widths, strict=True)).rstrip() for each in lines]
    return "\n".join([result.table.title, result.table.paper, "", *drawn, "", *words(result)])


def words(result: Result) -> list[str]:
    """What stands under the table."""
    tally = Counter(cell.verdict for cell in result.cells)
    lines = [f"cells    {', '.join(f'{n} {verdict}' for verdict, n in tally.items())}"]
    reasons: dict[tuple[str, str], list[str]] = {}
    for cell in result.cells:
        if cell.why and cell.verdict not in ("PASS", "REFERENCE"):
            names = reasons.setdefault((cell.verdict, cell.why), [])
            if cell.row not in names:
                names.append(cell.row)
    lines += [f"{verdict}: {', '.join(names)}: {why}" for (verdict, why), names in reasons.items()]
    differ = {cell.row for cell in result.cells if cell.verdict in ("FAIL", "UNDERPOWERED")}
    lines += [f"known    {row.name}: {said}" for row in result.rows if row.name in differ for said in row.known]
    lines += [f"note     {note}" for note in result.notes]
    if any(cell.mark == "recalled" for cell in result.cells):
        lines.append(f"?        {MARKS['recalled']}")
    return lines


def markdown(result: Result) -> str:
    table = result.table
    rule = "|".join(["", *("---" for _ in HEAD), ""])
    body = ["| " + " | ".join(HEAD) + " |", rule, *("| " + " | ".join(line(cell)) + " |" for cell in result.cells)]
    lines = [f"# {table.title}", "", f"{table.paper}. Data set: `{table.dataset}`.", ""]
    lines += [*body, "", *(f"- {word}" for word in words(result)), ""]
    figures = dict.fromkeys(cell.figure for cell in result.cells)
    lines += [f"- {name}: {figure_of(name).convention}" for name in figures]
    lines += [f"- floor of {f}: {', '.join(f'{by} {value:g}' for by, value in table.floors[f].items())}"
              for f in figures if f in table.floors]  # fmt: skip
    sources = dict.fromkeys((cell.source, cell.mark) for cell in result.cells if cell.source)
    lines += [f"- published: {source} ({MARKS[mark]})" for source, mark in sources]
    own = [*table.ours, *(f"{row.name}: {said}" for row in result.rows for said in row.ours)]
    lines += ["", "Ours, where the paper says nothing:", "", *(f"- {said}" for said in own)] if own else []
    lines += ["", when(result)]
    return "\n".join(lines) + "\n"


def when(result: Result) -> str:
    if result.day is None:
        return f"mmfuse {__version__}; nothing of it has been run."
    minutes = result.seconds / 60
    on = f" On {'; '.join(result.machines)}." if result.machines else ""
    return f"mmfuse {__version__}; run until {result.day}; {minutes:.1f} minutes of training and testing together.{on}"


def as_json(result: Result) -> dict[str, Any]:
    return {
        "table": result.table.name,
        "title": result.table.title,
        "paper": result.table.paper,
        "dataset": result.table.dataset,
        "version": __version__,
        "day": result.day,
        "seconds": result.seconds,
        "machines": list(result.machines),
        "notes": list(result.notes),
        "cells": [cell.state() for cell in result.cells],
    }
