"""A number that is predicted, beside what it is."""

import altair as alt
import numpy as np

from mmfuse.report import plot
from mmfuse.report.blocks import Beside, Block, Chart, Prose, Section
from mmfuse.report.kinds import kind
from mmfuse.report.record import Record
from mmfuse.report.words import plural

MOST = 1000  # points
BINS = 31


def residuals(record: Record) -> Section:
    blocks: list[Block] = []
    for task in (t for t, table in record.tasks.items() if kind(table) == "number"):
        blocks += of_task(record, task)
    return Section("residuals", "Residuals", blocks, "no task of this run predicts a number")


def of_task(record: Record, task: str) -> list[Block]:
    said = [answers for r in record.replicas if (answers := r.said(task)) is not None]
    of = f"{task}: " if len(record.tasks) > 1 else ""
    if not said:
        return [Prose(f"{of}Answers were not kept (answers.npz), so there is no picture of residuals.", True)]
    rows, answer, target = (np.concatenate(parts) for parts in zip(*said, strict=True))
    labelled = ~np.isnan(target)
    rows, answer, target = rows[labelled], answer[labelled], target[labelled]
    if not len(rows):
        return [Prose(f"{of}No test row has a label.", True)]
    chosen = np.sort(np.random.default_rng(0).permutation(len(rows))[:MOST])
    some = f", {plural(MOST, 'point')} of {len(rows):,} at random" if len(chosen) < len(rows) else ""
    points = Chart(
        f"residuals-{task}",
        f"{of}Predicted against true{some}",
        scatter(rows[chosen], answer[chosen], target[chosen]),
        "predicted against true values, beside the diagonal",
    )
    spread = Chart(f"errors-{task}", f"{of}Errors: predicted - true", histogram(answer - target), "histogram of errors")
    return [Beside([points, spread])]


def scatter(rows: np.ndarray, answer: np.ndarray, target: np.ndarray) -> plot.Spec:
    points = [
        {"row": str(r), "true": float(t), "predicted": float(a), "error": float(a - t)}
        for r, a, t in zip(rows, answer, target, strict=True)
    ]
    ends = [float(min(answer.min(), target.min())), float(max(answer.max(), target.max()))]
    x, y = plot.across("true", "true"), plot.up("predicted", "predicted")
    diagonal = alt.Chart(plot.data([{"true": end, "predicted": end} for end in ends]))
    line = diagonal.mark_line(color=plot.SOFT, strokeDash=[3, 3], strokeWidth=1).encode(x=x, y=y)
    tooltip = plot.told("row", true="true", predicted="predicted", error="error")
    dots = alt.Chart(plot.data(points)).mark_circle(color=plot.ACCENT, opacity=0.45, size=26)
    return plot.spec(alt.layer(line, dots.encode(x=x, y=y, tooltip=tooltip)), 260)


def histogram(errors: np.ndarray) -> plot.Spec:
    counts, edges = np.histogram(errors, bins=BINS)
    rows = [
        {"from": float(low), "to": float(high), "rows": int(n), "none": 0}
        for n, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
    ]
    tooltip = [*plot.told(**{"from": "from", "to": "to"}), *plot.told(form="d", rows="rows")]
    chart = alt.Chart(plot.data(rows)).mark_rect(color=plot.ACCENT, stroke="var(--paper)")
    x = plot.across("from", "predicted - true")
    return plot.spec(
        chart.encode(
            x=x, x2=alt.X2(field="to"), y=plot.up("rows", "rows", True), y2=alt.Y2(field="none"), tooltip=tooltip
        ),
        260,
    )
