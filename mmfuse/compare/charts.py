"""Charts over many runs, as Vega-Lite specs: parallel coordinates, and what each setting's values go with."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from mmfuse.compare.effects import Effect, known
from mmfuse.compare.ordering import natural
from mmfuse.compare.table import Line
from mmfuse.metrics.direction import less

AXES = 8  # beside the figure; more cannot be told apart


def parallel(columns: Sequence[str], lines: Sequence[Line], metric: str) -> dict[str, Any]:
    """A line for each row, through its value of each setting, to its figure, which is also its colour."""
    different = [n for n in range(len(columns)) if len({line.settings[n] for line in lines}) > 1][:AXES]
    axes = [*(columns[n] for n in different), metric]
    points, ticks = [], []
    heights = [places([line.settings[n] for line in lines]) for n in different]
    means = [known(line, metric) for line in lines]
    low, high = min(means), max(means)
    for line, mean in zip(lines, means, strict=True):
        settings = {**dict(zip(columns, line.settings, strict=True)), "run": line.row.label, "figure": mean}
        at = [height[line.settings[n]] for height, n in zip(heights, different, strict=True)]
        at.append((mean - low) / (high - low) if high > low else 0.5)
        points += [{**settings, "axis": axis, "at": place} for axis, place in zip(axes, at, strict=True)]
    for axis, height in zip(axes, heights, strict=False):
        ticks += [{"axis": axis, "at": place, "value": value} for value, place in height.items()]
    ticks += [{"axis": metric, "at": at, "value": f"{value:.3f}"} for at, value in ((0.0, low), (1.0, high))]
    across = alt.X("axis:N", sort=axes, title=None, axis=alt.Axis(orient="top", labelAngle=0, domain=False))
    up = alt.Y("at:Q", axis=None, scale=alt.Scale(domain=[-0.03, 1.03]))
    order = "descending" if less(metric) else "ascending"
    shade = alt.Color("figure:Q", title=metric, scale=alt.Scale(scheme="viridis"), sort=order)
    told = [alt.Tooltip("run:N"), alt.Tooltip("figure:Q", title=metric, format=".3f")]
    told += [alt.Tooltip(field=escaped(name), type="nominal", title=name) for name in axes[:-1]]
    rows = alt.Chart(alt.Data(values=points)).mark_line(strokeWidth=2, opacity=0.7)
    drawn = rows.encode(x=across, y=up, detail="run:N", color=shade, tooltip=told)
    rules = alt.Chart(alt.Data(values=[{"axis": axis} for axis in axes])).mark_rule(opacity=0.5).encode(x=across)
    words = alt.Chart(alt.Data(values=ticks)).mark_text(align="left", dx=5).encode(x=across, y=up, text="value:N")
    return spec(alt.layer(rules, drawn, words).properties(height=320))


def escaped(name: str) -> str:
    r"""A field's name, whose dots are no steps into it.

    >>> escaped("text.dim")
    'text\\.dim'
    """
    return name.replace(".", r"\.").replace("[", r"\[").replace("]", r"\]")


def places(values: Sequence[str]) -> dict[str, float]:
    """How high each value stands: in order, at equal distances.

    >>> places(["10", "9", "9"])
    {'9': 0.0, '10': 1.0}
    """
    different = sorted(set(values), key=natural)
    return {value: n / max(1, len(different) - 1) for n, value in enumerate(different)}


def main_effects(effects: Sequence[Effect], metric: str) -> dict[str, Any]:
    """For each value of each setting the mean, with its interval."""
    told = [alt.Tooltip(f"{name}:N") for name in ("setting", "value", "rows")]
    told += [alt.Tooltip(f"{name}:Q", format=".3f") for name in ("mean", "low", "high")]
    values = [{**effect._asdict(), "label": f"{effect.setting} = {effect.value}"} for effect in effects]
    base = alt.Chart(alt.Data(values=values)).encode(
        y=alt.Y("label:N", sort=None, title=None), color=alt.Color("setting:N", legend=None), tooltip=told
    )
    along = alt.X("mean:Q", title=metric, scale=alt.Scale(zero=False))
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(x=along)
    bars = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=alt.Scale(zero=False)), x2="high:Q")
    known = any(effect.low is not None for effect in effects)
    return spec(alt.layer(*([bars] if known else []), dots).properties(height=22 * len(values) + 10))


def spec(chart: Any) -> dict[str, Any]:
    found: dict[str, Any] = chart.to_dict()
    found.pop("config", None)  # the page has its own
    return found
