"""How the model does without some of what it learned from."""

from collections.abc import Mapping
from typing import Any

from mmfuse.report import plot
from mmfuse.report.blocks import Beside, Block, Chart, Prose, Section, Table
from mmfuse.report.record import Record
from mmfuse.report.words import known, listed

ALL = "all"


def missing(record: Record) -> Section:
    blocks: list[Block] = []
    for task, table in record.contributions():
        drawn = [*patterns(task, table, len(record.tasks) > 1), *curves(task, table, len(record.tasks) > 1)]
        blocks += [Beside(drawn)] if drawn else []
        if "curves" in table:
            blocks.append(areas(task, table, len(record.tasks) > 1))
    if blocks:
        blocks.append(
            Prose("What is missing is masked, as it is in training. Bands are ± the deviation over draws.", True)
        )
    return Section("missing", "Missing modalities", blocks, record.why("contributions"))


def patterns(task: str, table: Mapping[str, Any], several: bool) -> list[Chart]:
    found = {name: value for name, value in table.get("patterns", {}).items() if name and known(value) is not None}
    if not found:
        return []
    rows = [{"heard": name.replace("+", " + "), "value": value} for name, value in found.items()]
    rows.sort(key=lambda row: -row["value"])
    figure = table["figure"]
    drawn = plot.bars(rows, "heard", "value", figure, [str(row["heard"]) for row in rows])
    return [Chart(f"patterns-{task}", f"{of(task, several)}From these alone: {figure}", drawn, f"{len(rows)} patterns")]


def curves(task: str, table: Mapping[str, Any], several: bool) -> list[Chart]:
    found = by_modality(table)
    rows = [
        {"of": name, "rate": rate, "value": value} | band(value, (about.get("std") or [None] * len(about["values"]))[k])
        for name, about in found.items()
        for k, (rate, value) in enumerate(zip(table["curves"]["rates"], about["values"], strict=True))
        if known(value) is not None
    ]
    if not rows:
        return []
    figure = table["figure"]
    drawn = plot.lines(rows, ("rate", "share of rows without it"), ("value", figure), "of", list(found))
    title = f"{of(task, several)}As values go missing: {figure}"
    return [Chart(f"missing-{task}", title, drawn, f"curves of {listed(list(found))}")]


def by_modality(table: Mapping[str, Any]) -> dict[str, Any]:
    about = table.get("curves") or {}
    return {**about.get("each", {}), **({ALL: about["all"]} if about.get("all") else {})}


def band(value: float, spread: float | int | None) -> dict[str, float]:
    spread = known(spread) or 0.0
    return {"low": value - spread, "high": value + spread}


def areas(task: str, table: Mapping[str, Any], several: bool) -> Table:
    rows = [[name, known(about.get("area")), known(about.get("drop"))] for name, about in by_modality(table).items()]
    caption = f"{of(task, several)}Under the curves of {table['figure']}"
    return Table(["missing", "area", "drop"], rows, caption)


def of(task: str, several: bool) -> str:
    return f"{task}: " if several else ""
