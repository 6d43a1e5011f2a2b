"""How each class is told: a bar each of F1, and the table."""

from collections.abc import Mapping
from typing import Any

from mmfuse.report import plot
from mmfuse.report.blocks import Block, Chart, Prose, Section, Table
from mmfuse.report.record import Record
from mmfuse.report.words import known, spread_cell

MOST = 30  # bars
PARTS = ("precision", "recall", "f1")


def per_class(record: Record) -> Section:
    blocks: list[Block] = []
    for task, table in record.tasks.items():
        if "per_class" in table:
            blocks += of_task(task, table["per_class"], len(record.tasks) > 1)
    return Section("classes", "Classes", blocks, "no task of this run has classes")


def of_task(task: str, table: Mapping[str, Any], several: bool) -> list[Block]:
    classes = list(table["f1"])
    there = [c for c in classes if table["support"][c]["mean"]]
    worst = sorted(there, key=lambda c: known(table["f1"][c]["mean"]) or 0.0)[:MOST]
    shown = [c for c in there if c in set(worst)]
    rows = [bar(c, table) for c in shown]
    of = f"{task}: " if several else ""
    blocks: list[Block] = []
    if len(shown) < len(there):
        blocks.append(
            Prose(f"{of}The {len(shown)} classes of {len(there)} that are told worst; the table has all.", True)
        )
    if rows:
        also = plot.told(precision="precision", recall="recall", rows="rows")
        drawn = plot.bars(rows, "class", "f1", "F1", shown, *also)
        title = f"{of}F1 of each class{', ± deviation over runs' if 'low' in rows[0] else ''}"
        blocks.append(Chart(f"classes-{task}", title, drawn, f"F1 of {len(shown)} classes"))
    entries = [[c, *(spread_cell(table[p][c]) for p in PARTS), round(table["support"][c]["mean"])] for c in classes]
    blocks.append(Table(["class", *PARTS, "test rows"], entries, task if several else ""))
    return blocks


def bar(name: str, table: Mapping[str, Any]) -> dict[str, Any]:
    row = {"class": name, "rows": table["support"][name]["mean"]} | {p: table[p][name]["mean"] for p in PARTS}
    spread = known(table["f1"][name].get("std"))
    if spread is None:
        return row
    return row | {"low": max(0.0, row["f1"] - spread), "high": min(1.0, row["f1"] + spread)}
