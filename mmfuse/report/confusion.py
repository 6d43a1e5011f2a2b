"""What is taken for what: a matrix a task, summed over seeds and folds."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np

from mmfuse.report import plot
from mmfuse.report.blocks import Block, Cell, Chart, Folded, Prose, Section, Table
from mmfuse.report.record import Record
from mmfuse.report.words import plural
from mmfuse.wording import number

MOST = 20  # classes of a matrix
WRITTEN = 12  # classes up to which counts stand in the cells
PAIRS = 30


def confusion(record: Record) -> Section:
    blocks: list[Block] = []
    for task, table in record.tasks.items():
        if "confusion" in table:
            blocks += of_task(task, table, len(record.tasks) > 1)
    return Section("confusion", "Confusion", blocks, "no task of this run tells one class from others")


def of_task(task: str, table: Mapping[str, Any], several: bool) -> list[Block]:
    counts = np.sum([np.array(matrix) for matrix in table["confusion"]["values"]], axis=0)  # (K, K)
    classes = list(table["per_class"]["support"])
    runs = len(table["confusion"]["values"])
    shown = most_confused(counts)
    of = f"{task}: " if several else ""
    summed = f", summed over {plural(runs, 'run')}" if runs > 1 else ""
    title = f"{of}Rows are the true classes; the deeper, the larger the share of the class{summed}"
    blocks: list[Block] = []
    if len(shown) < len(classes):
        blocks.append(Prose(f"{of}The {len(shown)} most confused of {len(classes)} classes.", True))
    said = f"confusion matrix of {len(shown)} classes, {counts.trace() / max(counts.sum(), 1):.0%} on its diagonal"
    blocks.append(Chart(f"confusion-{task}", title, matrix(counts, classes, shown), said, fixed=True))
    rows = pairs(counts, classes)
    if rows:
        table_of = Table(["true", "said to be", "rows", "of the class"], rows)
        blocks.append(Folded(f"{of}What is most often taken for what", [table_of]))
    return blocks


def most_confused(counts: np.ndarray) -> list[int]:
    """The classes with the most wrong rows, as what they are or as what is said; all where they are few.

    >>> most_confused(np.diag([3, 4]))
    [0, 1]
    """
    wrong = counts - np.diag(counts.diagonal())
    order = np.argsort(-(wrong.sum(axis=0) + wrong.sum(axis=1)), kind="stable")[:MOST]
    return sorted(order.tolist())


def matrix(counts: np.ndarray, classes: Sequence[str], shown: Sequence[int]) -> plot.Spec:
    totals = counts.sum(axis=1).clip(min=1)
    rows = [
        {"true": classes[i], "said": classes[j], "rows": int(counts[i, j]), "share": float(counts[i, j] / totals[i])}
        for i in shown
        for j in shown
    ]
    order = [classes[k] for k in shown]
    size = 34 if len(shown) <= WRITTEN else 24
    side = size * len(shown)
    axis = alt.Axis(ticks=False, domain=False, labelLimit=110)
    wide = any(len(name) > 3 for name in order)
    x = alt.X(
        field="said",
        type="nominal",
        sort=order,
        title="said to be",
        axis=alt.Axis(ticks=False, domain=False, labelLimit=110, labelAngle=-50 if wide else 0),
    )
    y = alt.Y(field="true", type="nominal", sort=order, title="true", axis=axis)
    base = alt.Chart(plot.data(rows)).encode(x=x, y=y)
    tooltip = [
        *plot.told("true", "said", form="d", rows="rows"),
        alt.Tooltip(field="share", type="quantitative", title="of the class", format=".1%"),
    ]
    wash = base.mark_rect(color="var(--wash)", stroke="var(--paper)", strokeWidth=1)
    opacity = alt.Opacity(field="share", type="quantitative", scale=alt.Scale(domain=[0, 1], range=[0, 1]), legend=None)
    cells = base.mark_rect(color=plot.ACCENT, stroke="var(--paper)", strokeWidth=1).encode(
        opacity=opacity, tooltip=tooltip
    )
    layers = [wash, cells]
    if len(shown) <= WRITTEN:
        colour = alt.when("datum.share > 0.5").then(alt.value("var(--on-accent)")).otherwise(alt.value(plot.INK))
        text = base.transform_filter("datum.rows > 0").mark_text(fontSize=11)
        layers.append(text.encode(text=alt.Text(field="rows", type="quantitative"), color=colour, tooltip=tooltip))
    return plot.spec(alt.layer(*layers), side, side)


def pairs(counts: np.ndarray, classes: Sequence[str]) -> list[list[Any]]:
    wrong = counts - np.diag(counts.diagonal())
    places = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    found = [divmod(int(place), len(classes)) for place in places]
    return [
        [classes[i], classes[j], int(wrong[i, j]), Cell(number(share := wrong[i, j] / counts[i].sum()), float(share))]
        for i, j in found
        if wrong[i, j]
    ]
