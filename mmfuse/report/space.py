"""Where rows lie in the space that modalities share, drawn in two dimensions."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from mmfuse.report import plot, theme
from mmfuse.report.blocks import Beside, Block, Chart, Prose, Section
from mmfuse.report.record import Record

SHAPES = ["circle", "square", "triangle-up", "diamond", "cross"]
CLASSES = len(SHAPES) * len(theme.SERIES)  # that can be told apart


def space(record: Record) -> Section:
    about = record.analysis.get("space") or {}
    if not about.get("points"):
        return Section("space", "The shared space", absent=record.why("space"))
    blocks: list[Block] = []
    for task, labels in (about.get("class") or {"": None}).items():
        of = f", by {task}" if task and len(record.tasks) > 1 else ""
        charts = [
            Chart(
                f"space-{part}-{task}".rstrip("-"),
                f"{part}{of}",
                cloud(points, about.get("rows"), labels),
                f"{len(points)} rows",
            )
            for part, points in about["points"].items()
            if points
        ]
        blocks.append(Beside(charts))
    how = f"By {about.get('method', 'projection')}, of {about.get('of', 'one seed')}."
    said = f"{how} Near is alike; how far groups are from one another means little."
    return Section("space", "The shared space", [*blocks, Prose(said, True)])


def cloud(points: Sequence[Sequence[float]], rows: Sequence[Any] | None, labels: Sequence[Any] | None) -> plot.Spec:
    marks: list[dict[str, Any]] = [
        {"x": round(float(x), 3), "y": round(float(y), 3)}
        | ({"row": str(rows[k])} if rows else {})
        | ({"class": str(labels[k])} if labels else {})
        for k, (x, y, *_) in enumerate(points)
    ]
    axis = alt.Axis(title=None, labels=False, ticks=False, grid=False, domain=False)
    scale = alt.Scale(zero=False, padding=8)
    x = alt.X(field="x", type="quantitative", axis=axis, scale=scale)
    y = alt.Y(field="y", type="quantitative", axis=axis, scale=scale)
    chart = alt.Chart(plot.data(marks)).mark_point(filled=True, size=28, opacity=0.75)
    told = plot.told(*(name for name in ("class", "row") if marks and name in marks[0]))
    chart = chart.encode(x=x, y=y, tooltip=told)
    classes = sorted({mark["class"] for mark in marks if "class" in mark}, key=in_order)
    if 1 < len(classes) <= CLASSES:
        chart = chart.encode(**looks(classes))
    return plot.spec(chart, 300)


def looks(classes: Sequence[str]) -> dict[str, Any]:
    """A colour, and where colours run out another shape as well."""
    colours = [theme.SERIES[k % len(theme.SERIES)] for k in range(len(classes))]
    shapes = [SHAPES[k // len(theme.SERIES)] for k in range(len(classes))]
    legend = alt.Legend(columns=8)
    return {
        "color": alt.Color(
            field="class", type="nominal", sort=classes, legend=legend, scale=alt.Scale(domain=classes, range=colours)
        ),
        "shape": alt.Shape(
            field="class", type="nominal", sort=classes, legend=legend, scale=alt.Scale(domain=classes, range=shapes)
        ),
    }


def in_order(name: str) -> tuple[float, str]:
    """Numbers by size, names by letter.

    >>> sorted(["10", "9", "b", "a"], key=in_order)
    ['9', '10', 'a', 'b']
    """
    try:
        return float(name), name
    except ValueError:
        return float("inf"), name
