"""How the model does on rows that are made worse, beside a late fusion where one was run."""

from collections.abc import Iterator, Mapping
from typing import Any

import altair as alt

from mmfuse.report import plot
from mmfuse.report.blocks import Beside, Block, Chart, Section, Table
from mmfuse.report.missing import band
from mmfuse.report.record import Record
from mmfuse.report.words import known

OWN, LATE = "this run", "late fusion"


def noise(record: Record) -> Section:
    about = record.analysis.get("noise") or {}
    blocks: list[Block] = []
    for task, modalities in about.get("tasks", {}).items():
        of = f"{task}: " if len(record.tasks) > 1 else ""
        figure = about.get("figure", {}).get(task, "figure")
        late = about.get("late", {}).get(task, {})
        drawn = [chart(of, task, m, kind, figure, curves) for m, kind, curves in each(modalities, late)]
        blocks += [Beside(drawn)] if drawn else []
        robustness = about.get("robustness", {}).get(task, {})
        rows = [summary(m, kind, curves, robustness) for m, kind, curves in each(modalities, late)]
        columns = ["modality", "noise", "area", "drop"]
        columns += ["area, late fusion", "relative", "effective"] if late or robustness else []
        blocks.append(Table(columns, [row[: len(columns)] for row in rows], f"{of}Under the curves of {figure}"))
    return Section("noise", "Noise", blocks, record.why("noise"))


def each(modalities: Mapping[str, Any], late: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for m, kinds in modalities.items():
        for kind, curve in kinds.items():
            beside = late.get(m, {}).get(kind)
            yield m, kind, {OWN: curve} | ({LATE: beside} if beside else {})


def chart(of: str, task: str, modality: str, kind: str, figure: str, curves: Mapping[str, Any]) -> Chart:
    rows = [
        {"of": name, "level": level, "value": value}
        | band(value, (curve.get("std") or [None] * len(curve["values"]))[k])
        for name, curve in curves.items()
        for k, (level, value) in enumerate(zip(curve["levels"], curve["values"], strict=True))
        if known(value) is not None
    ]
    unit = curves[OWN].get("unit", "level")
    worse = kind.replace("_", " ")
    if any(isinstance(level, str) or level is None for level in curves[OWN]["levels"]):  # "clean", beside decibels
        drawn = steps(rows, unit, figure, list(curves))
    else:
        drawn = plot.lines(rows, ("level", unit), ("value", figure), "of", list(curves))
    return Chart(f"noise-{task}-{modality}-{kind}", f"{of}{modality}, {worse}", drawn, f"{figure} by {unit}")


def steps(rows: list[dict[str, Any]], unit: str, figure: str, order: list[str]) -> plot.Spec:
    """Levels that are no numbers stand side by side, in their own order."""
    rows = [row | {"level": "none" if row["level"] is None else str(row["level"])} for row in rows]
    x = alt.X(field="level", type="ordinal", sort=None, axis=alt.Axis(title=unit, labelAngle=0))
    line = alt.Chart(plot.data(rows)).mark_line(point=True)
    return plot.spec(
        line.encode(
            x=x,
            y=plot.up("value", figure),
            color=plot.coloured("of", order),
            tooltip=plot.told("of", "level", value=figure),
        )
    )


def summary(modality: str, kind: str, curves: Mapping[str, Any], robustness: Mapping[str, Any]) -> list[Any]:
    own, late = curves[OWN], curves.get(LATE, {})
    judged = robustness.get(modality, {}).get(kind, {})
    found = (own.get("area"), own.get("drop"), late.get("area"), judged.get("relative"), judged.get("effective"))
    return [modality, kind.replace("_", " "), *map(known, found)]
