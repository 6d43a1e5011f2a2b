"""The few forms of chart that the sections share, as Vega-Lite specs."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

Row = Mapping[str, Any]
Spec = dict[str, Any]
WIDTH, HEIGHT = 460, 220  # of a figure in a file; on a page a chart is as wide as there is room
COUNTED = ("epoch",)  # whole numbers
INK, SOFT, ACCENT, WARM = "var(--ink)", "var(--soft)", "var(--accent)", "var(--warm)"


def data(rows: Sequence[Row]) -> alt.InlineData:
    return alt.InlineData(values=[{k: rounded(v) for k, v in row.items()} for row in rows])


def rounded(value: Any) -> Any:
    """Six digits are more than can be seen; what is no number is null, which is not drawn."""
    if isinstance(value, float):
        return None if value != value else float(f"{value:.6g}")
    return value


def spec(chart: alt.Chart | alt.LayerChart | alt.FacetChart, height: int = HEIGHT, width: int = WIDTH) -> Spec:
    made = chart.properties(width=width, height=height).to_dict()
    return {key: part for key, part in made.items() if key not in ("$schema", "config")}


def told(*names: str, form: str = ".3~f", **titles: str) -> list[alt.Tooltip]:
    """What is said of a mark under the pointer: text by `names`, numbers by `titles`."""
    return [alt.Tooltip(field=n, type="nominal", title=n) for n in names] + [
        alt.Tooltip(field=n, type="quantitative", title=title, format=form) for n, title in titles.items()
    ]


def across(name: str, title: str, zero: bool = False, **scale: Any) -> alt.X:
    whole: dict[str, Any] = {"tickMinStep": 1, "format": "d"} if name in COUNTED else {}
    axis = alt.Axis(title=title, tickCount=6, grid=True, **whole)
    return alt.X(field=name, type="quantitative", axis=axis, scale=alt.Scale(zero=zero, **scale))


def up(name: str, title: str, zero: bool = False, **scale: Any) -> alt.Y:
    axis = alt.Axis(title=title, tickCount=5)
    return alt.Y(field=name, type="quantitative", axis=axis, scale=alt.Scale(zero=zero, **scale))


def named_rows(name: str, order: Sequence[str]) -> alt.Y:
    axis = alt.Axis(title=None, ticks=False, domain=False, labelPadding=6)
    return alt.Y(field=name, type="nominal", sort=list(order), axis=axis)


def coloured(name: str, order: Sequence[str], legend: bool = True) -> alt.Color:
    shown = alt.Legend() if legend and len(order) > 1 else None
    return alt.Color(field=name, type="nominal", sort=list(order), legend=shown)


def lines(rows: Sequence[Row], x: tuple[str, str], y: tuple[str, str], series: str, order: Sequence[str]) -> Spec:
    """A line for each of `series`, with a band where rows have `low` and `high`."""
    base = alt.Chart(data(rows)).encode(x=across(*x), color=coloured(series, order))
    line = base.mark_line(point=alt.OverlayMarkDef(size=22)).encode(
        y=up(*y), tooltip=told(series, **{x[0]: x[1], y[0]: y[1]})
    )
    if not any("low" in row for row in rows):
        return spec(line)
    band = base.mark_area(opacity=0.15).encode(y=up("low", y[1]), y2=alt.Y2(field="high"))
    return spec(alt.layer(band, line))


def bars(rows: Sequence[Row], name: str, value: str, title: str, order: Sequence[str], *also: alt.Tooltip) -> Spec:
    """A bar for each row, with its number at the end, and a rule where rows have `low` and `high`."""
    base = alt.Chart(data(rows)).encode(y=named_rows(name, order))
    tooltip = [*told(name, **{value: title}), *also]
    drawn = [base.mark_bar(height=alt.RelativeBandSize(0.62)).encode(x=across(value, title, True), tooltip=tooltip)]
    if any("low" in row for row in rows):
        rule = base.mark_rule(color=INK, strokeWidth=1.2)
        drawn.append(rule.encode(x=across("low", title, True), x2=alt.X2(field="high"), tooltip=tooltip))
    return spec(alt.layer(*drawn), 24 * len(order) + 8)


def differences(rows: Sequence[Row], name: str, title: str, order: Sequence[str]) -> Spec:
    """A dot and its interval for each row, about a line at 0."""
    zero = alt.Chart(data([{"at": 0}])).mark_rule(color=SOFT, strokeDash=[3, 3]).encode(x=across("at", title))
    base = alt.Chart(data(rows)).encode(y=named_rows(name, order))
    tooltip = told(name, value="difference", low="from", high="to")
    rule = base.mark_rule(color=ACCENT, strokeWidth=2).encode(
        x=across("low", title), x2=alt.X2(field="high"), tooltip=tooltip
    )
    dot = base.mark_point(color=ACCENT, filled=True, size=80, opacity=1).encode(
        x=across("value", title), tooltip=tooltip
    )
    return spec(alt.layer(zero, rule, dot), 30 * len(order) + 8)
