"""What each modality gives to the trained model, and whether what they say together matters."""

from collections.abc import Mapping
from typing import Any

from mmfuse.report import plot
from mmfuse.report.blocks import Block, Cell, Chart, Prose, Section, Table
from mmfuse.report.record import Record
from mmfuse.report.words import known, p_value, signed, signed_interval, spread_cell
from mmfuse.wording import number

ABSENCES = {
    "permutation": "A modality is taken away by giving each row another row's value of it",
    "mask": "A modality is taken away by telling the model that it is missing",
}


def contributions(record: Record) -> Section:
    blocks: list[Block] = []
    for task, table in record.contributions():
        blocks += of_task(task, table, len(record.tasks) > 1)
    if blocks:
        blocks.append(Prose(explained(record.analysis["contributions"], record.analysis.get("rows", 0)), True))
    return Section("contributions", "What each modality gives", blocks, record.why("contributions"))


def of_task(task: str, table: Mapping[str, Any], several: bool) -> list[Block]:
    of, figure = f"{task}: " if several else "", table["figure"]
    blocks: list[Block] = []
    if "shapley" in table:
        rows = [share(m, about) for m, about in table["shapley"].items()]
        rows.sort(key=lambda row: -(known(row["value"]) or 0.0))
        order = [str(row["modality"]) for row in rows]
        title = f"{of}Shapley values: how much of {figure} is owed to each modality"
        said = ", ".join(f"{row['modality']} {signed(row['value'])}" for row in rows)
        drawn = plot.bars(rows, "modality", "value", f"share of {figure}", order)
        blocks.append(Chart(f"shapley-{task}", title, drawn, said))
        blocks.append(Table(*each_modality(table, order), caption=f"{of}In terms of {figure}"))
    if table.get("emap"):
        blocks.append(Prose(of + emap(figure, table["emap"])))
    if table.get("interaction"):
        pairs = [[pair.replace("+", " and "), spread_cell(about, True)] for pair, about in table["interaction"].items()]
        blocks.append(Table(["interaction of", figure], pairs, f"{of}What two say together beyond what each says"))
    return blocks


def share(modality: str, about: Mapping[str, Any]) -> dict[str, Any]:
    row = {"modality": modality, "value": about["mean"]}
    spread = known(about.get("std"))
    return row if spread is None else row | {"low": about["mean"] - spread, "high": about["mean"] + spread}


def each_modality(table: Mapping[str, Any], order: list[str]) -> tuple[list[str], list[list[Any]]]:
    kinds = {"shapley": "Shapley", "leave_one_out": "leave-one-out", "perceptual": "perceptual"}
    there = {key: title for key, title in kinds.items() if key in table}
    rows: list[list[Any]] = [
        [m, *(spread_cell(table[key][m], True) if m in table[key] else None for key in there)] for m in order
    ]
    columns = ["modality", *there.values()]
    if "perceptual" in table:
        columns.append("perceptual, of the figure")
        for row, m in zip(rows, order, strict=True):
            part = known(table["perceptual"].get(m, {}).get("normalised"))
            row.append(Cell("n/a" if part is None else f"{part:.0%}", part))
    return columns, rows


def emap(figure: str, about: Mapping[str, Any]) -> str:
    """EMAP in a sentence: whether the model does more than add up what its modalities say."""
    low, high = about["ci95"]
    clear = known(low) is not None and known(high) is not None and (low > 0 or high < 0) and about["p"] < 0.05
    said = (
        "Interactions between modalities matter"
        if clear
        else "There is no evidence that interactions between modalities matter"
    )
    found = f"{figure} {number(about['model'])}, and {number(about['emap'])} of its closest additive function (EMAP)"
    change = f"difference {signed(about['difference'])} {signed_interval(about['ci95'])}, {p_value(about['p'])}"
    shows = "" if clear else f"; {number(known(about.get('detectable')))} is the smallest that could have been shown"
    return f"{said}: {found}, {change}, on {about['rows']:,} rows{shows}."


def explained(about: Mapping[str, Any], tested: int) -> str:
    how = ABSENCES.get(about.get("absence", ""), "A modality is taken away")
    times = f", {about['draws']} times" if about.get("draws", 1) > 1 else ""
    of = (
        f" Of {tested:,} test rows {about['rows']:,} were asked about, drawn by chance."
        if about["rows"] < tested
        else ""
    )
    return (
        f"{how}{times}; ± is the deviation over those draws. Shapley values share the figure out among modalities, "
        "all orders of adding them alike (they sum to the figure less that of no modality). Leave-one-out: what is "
        f"lost without it. Perceptual: what is lost when it is permuted.{of}"
    )
