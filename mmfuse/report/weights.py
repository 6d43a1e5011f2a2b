"""Which modality the model heeds: the weights of its fusion, gradients times inputs, attention over parts of a row."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import altair as alt

from mmfuse.report import plot
from mmfuse.report.blocks import Beside, Block, Chart, Markup, Prose, Section
from mmfuse.report.contributions import share
from mmfuse.report.record import Record
from mmfuse.report.words import known

MOST = 30  # classes of a chart
ROWS = 12  # rows whose attention is shown


def weights(record: Record) -> Section:
    about = record.analysis.get("weights") or {}
    if not about.get("mean"):
        return Section("weights", "Weights of modalities", absent=record.why("weights"))
    order = list(about.get("modalities") or about["mean"])
    rows = [{"modality": m, "value": about["mean"][m]} for m in order]
    of = f" ({about['fusion']}, {about.get('of', '')})" if about.get("fusion") else ""
    title = f"Mean weight of each modality over test rows{of}"
    said = ", ".join(f"{row['modality']} {row['value']:.2f}" for row in rows)
    charts = [Chart("weights", title, plot.bars(rows, "modality", "value", "weight", order), said)]
    for task, classes in about.get("by_class", {}).items():
        some = list(classes)[:MOST]
        parts = [
            {"class": c, "modality": m, "weight": classes[c].get(m), "at": k} for c in some for k, m in enumerate(order)
        ]
        name = f"{task}: " if len(record.tasks) > 1 else ""
        first = f", the first {MOST} of {len(classes)}" if len(some) < len(classes) else ""
        drawn = stacked(parts, some, order)
        charts.append(Chart(f"weights-{task}", f"{name}By true class{first}", drawn, f"weights by {len(some)} classes"))
    strips = spread(about.get("rows") or {}, order)
    if strips:
        charts.append(Chart("weights-rows", "Row by row", strips, "the weights of single rows"))
    return Section("weights", "Weights of modalities", [Beside(charts)])


def stacked(rows: Sequence[plot.Row], classes: Sequence[str], modalities: Sequence[str]) -> plot.Spec:
    chart = alt.Chart(plot.data(rows)).mark_bar(height=alt.RelativeBandSize(0.62), cornerRadiusEnd=0)
    return plot.spec(
        chart.encode(
            y=plot.named_rows("class", classes),
            x=plot.across("weight", "weight", True),
            color=plot.coloured("modality", modalities),
            order=alt.Order(field="at", type="quantitative"),
            tooltip=plot.told("class", "modality", weight="weight"),
        ),
        22 * len(classes) + 8,
    )


def spread(rows: Mapping[str, Any], order: Sequence[str]) -> plot.Spec | None:
    ids = rows.get("ids", [])
    ticks = [
        {"row": str(row), "modality": m, "weight": weight}
        for m in order
        for row, weight in zip(ids, rows.get(m, []), strict=False)
        if known(weight) is not None
    ]
    if not ticks:
        return None
    chart = alt.Chart(plot.data(ticks)).mark_tick(thickness=1.5, opacity=0.5)
    tooltip = plot.told("row", weight="weight")
    return plot.spec(
        chart.encode(y=plot.named_rows("modality", order), x=plot.across("weight", "weight"), tooltip=tooltip),
        28 * len(order) + 8,
    )


def gradients(record: Record) -> Section:
    about = record.analysis.get("gradients") or {}
    charts = []
    for task, table in about.items():
        rows = [share(m, each) for m, each in table.items()]
        name = f"{task}: share" if len(record.tasks) > 1 else "Share"
        title = f"{name} of |gradient x input|, ± deviation"
        drawn = plot.bars(rows, "modality", "value", "share", list(table))
        charts.append(Chart(f"gradients-{task}", title, drawn, f"shares of {len(rows)} modalities"))
    blocks: list[Block] = [Beside(charts)] if charts else []
    return Section("gradients", "Gradients", blocks, record.why("gradients"))


def attention(record: Record) -> Section:
    about = (record.analysis.get("attention") or [])[:ROWS]
    if not about:
        return Section("attention", "Attention", absent=record.why("attention"))
    cards = "".join(f"<li><p class='head'>{heading(each)}</p>{drawn(each)}</li>" for each in about)
    said = f"Attention of {len(about)} rows is shown in report.html."
    note = Prose("The deeper the colour, the more is heeded, within a row.", True)
    return Section("attention", "Attention", [Markup(f"<ul class='cards'>{cards}</ul>", said), note])


def heading(each: Mapping[str, Any]) -> str:
    return escape(f"{each.get('modality', '')}, row {each.get('row', '')}")


def drawn(each: Mapping[str, Any]) -> str:
    """Words on a ground as deep as they are heeded; a grid of patches; a bar a step."""
    heeded = [known(weight) or 0.0 for weight in each.get("weights", [])]
    most = max(heeded, default=0.0) or 1.0
    deep = [max(0.0, weight / most) for weight in heeded]
    parts, grid = each.get("parts"), each.get("grid")
    if parts:
        words = (
            f"<span style='--deep:{55 * d:.0f}%'>{escape(str(part))}</span>"
            for part, d in zip(parts, deep, strict=False)
        )
        return f"<p class='heeded'>{' '.join(words)}</p>"
    if grid:
        high, wide = (int(side) for side in grid)
        cells = "".join(
            f"<rect x='{k % wide}' y='{k // wide}' width='1' height='1' fill='var(--accent)' opacity='{d:.2f}'/>"
            for k, d in enumerate(deep)
        )
        return f"<svg class='grid' viewBox='0 0 {wide} {high}' role='img' aria-label='patches'>{cells}</svg>"
    bars = "".join(
        f"<rect x='{k}' y='{1 - d:.3f}' width='.9' height='{d:.3f}' fill='var(--accent)'/>" for k, d in enumerate(deep)
    )
    return (
        f"<svg class='steps' viewBox='0 0 {max(1, len(deep))} 1' preserveAspectRatio='none' role='img' "
        f"aria-label='steps'>{bars}</svg>"
    )
