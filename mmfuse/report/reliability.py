"""Whether probabilities are to be believed: of what is said at 80 %, 80 % should be so."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np

from mmfuse.metrics.calibration import BINS, Reliability, tempered
from mmfuse.metrics.calibration import reliability as binned
from mmfuse.report import plot
from mmfuse.report.blocks import Beside, Block, Cell, Chart, Prose, Section, Table
from mmfuse.report.kinds import kind
from mmfuse.report.record import Record
from mmfuse.report.words import figure_cell, known, spread_cell

FIGURES = {"ece": "ECE", "brier": "Brier", "nll": "NLL"}
AS_SAID, CALIBRATED = "as predicted", "after temperature"


def reliability(record: Record) -> Section:
    blocks: list[Block] = []
    for task, table in record.tasks.items():
        if kind(table) == "classes":
            blocks += of_task(record, task, table)
    if blocks:
        blocks.append(
            Prose(
                f"ECE is of the top label, in {BINS} bins of equal width. Brier is the sum over classes, from 0 to "
                "2, NLL in nats. Less is better. The temperature is learned from validation rows; above 1, the "
                "model was too sure.",
                True,
            )
        )
    return Section("calibration", "Calibration", blocks, "only a task of one class among several is looked at")


def of_task(record: Record, task: str, table: Mapping[str, Any]) -> list[Block]:
    of = f"{task}: " if len(record.tasks) > 1 else ""
    about = record.metrics.get("calibration", {}).get(task, {})
    rows: list[list[Any]] = [[FIGURES[f], figure_cell(table[f]), None] for f in FIGURES if f in table]
    if "ece_calibrated" in about and rows:
        rows[0][2] = figure_cell(about["ece_calibrated"])
        rows.append(["temperature", Cell("1", 1.0), spread_cell(about["temperature"])])
    blocks: list[Block] = [Table(["", AS_SAID, CALIBRATED], rows, of.removesuffix(": "))] if rows else []
    bins = pooled(record, task, about.get("temperature", {}).get("values"))
    if not bins:
        return [*blocks, Prose(f"{of}Answers were not kept (answers.npz), so there is no diagram.", True)]
    title = f"{of}Share that is right, by the probability that is said"
    diagrams = [
        Chart(f"reliability-{task}", title, diagram(bins), "share right against confidence, beside the diagonal"),
        Chart(
            f"confidence-{task}",
            f"{of}How sure it is: test rows by probability",
            histogram(bins[AS_SAID]),
            "histogram of confidence",
        ),
    ]
    return [Beside(diagrams), *blocks]


def pooled(record: Record, task: str, temperatures: Sequence[float | int | None] | None) -> dict[str, Reliability]:
    """The bins of all runs' test rows together, as they were said and, where temperatures are known, after them."""
    said = [answers for r in record.replicas if (answers := r.said(task)) is not None]
    if len(said) < len(record.replicas):
        return {}
    kept = [(answer[target >= 0], target[target >= 0]) for _, answer, target in said]
    targets = np.concatenate([target for _, target in kept])
    if not len(targets):
        return {}
    found = {AS_SAID: binned(np.concatenate([answer for answer, _ in kept]), targets)}
    if temperatures and len(temperatures) == len(kept) and all(known(t) for t in temperatures):
        set_right = [tempered(answer, float(t or 1)) for (answer, _), t in zip(kept, temperatures, strict=True)]
        found[CALIBRATED] = binned(np.concatenate(set_right), targets)
    return found


def diagram(bins: Mapping[str, Reliability]) -> plot.Spec:
    rows = [
        {"of": name, "confidence": float(c), "right": float(a), "rows": int(n)}
        for name, about in bins.items()
        for n, c, a in zip(about.rows, about.confidence, about.accuracy, strict=True)
        if n
    ]
    x = plot.across("confidence", "probability that is said", True, domain=[0, 1])
    y = plot.up("right", "share that is right", True, domain=[0, 1])
    diagonal = alt.Chart(plot.data([{"confidence": 0, "right": 0}, {"confidence": 1, "right": 1}]))
    line = diagonal.mark_line(color=plot.SOFT, strokeDash=[3, 3], strokeWidth=1).encode(x=x, y=y)
    tooltip = [*plot.told("of", confidence="said", right="right"), *plot.told(form="d", rows="rows")]
    points = alt.Chart(plot.data(rows)).encode(x=x, y=y, color=plot.coloured("of", list(bins)), tooltip=tooltip)
    joined = points.mark_line(strokeWidth=1.5)
    size = alt.Size(field="rows", type="quantitative", scale=alt.Scale(range=[20, 200]), legend=None)
    return plot.spec(alt.layer(line, joined, points.mark_circle(opacity=1).encode(size=size)), 260)


def histogram(bins: Reliability) -> plot.Spec:
    rows = [{"from": k / BINS, "to": (k + 1) / BINS, "rows": int(n), "none": 0} for k, n in enumerate(bins.rows)]
    x = plot.across("from", "probability that is said", True, domain=[0, 1])
    tooltip = [*plot.told(**{"from": "from", "to": "to"}), *plot.told(form="d", rows="rows")]
    chart = alt.Chart(plot.data(rows)).mark_rect(color=plot.ACCENT, stroke="var(--paper)")
    return plot.spec(
        chart.encode(
            x=x, x2=alt.X2(field="to"), y=plot.up("rows", "rows", True), y2=alt.Y2(field="none"), tooltip=tooltip
        ),
        260,
    )
