"""Colours, by what they are for, on light and on dark; and how charts use them.

A chart names a colour as the page does, `var(--ink)`, and so follows the reader's choice without being drawn again. A
figure in a file has nobody to ask: `in_print` puts the light colours in. The colours of series are those of Okabe and
Ito (Color Universal Design, 2008), which people of all colour vision can tell apart, lightened for the dark.
"""

import json
from collections.abc import Mapping
from typing import Any

LIGHT = {
    "paper": "#ffffff",
    "wash": "#f5f7f9",
    "ink": "#1c2127",
    "soft": "#5a6570",
    "line": "#dfe3e8",
    "accent": "#0072b2",
    "warm": "#b84a00",
    "on-accent": "#ffffff",
    "series-1": "#0072b2",
    "series-2": "#e69f00",
    "series-3": "#009e73",
    "series-4": "#cc79a7",
    "series-5": "#d55e00",
    "series-6": "#56b4e9",
    "series-7": "#7a7f85",
}
DARK = {
    "paper": "#15181c",
    "wash": "#1d2126",
    "ink": "#e4e8ec",
    "soft": "#9ba6b1",
    "line": "#30363d",
    "accent": "#5fb4e8",
    "warm": "#f08a4b",
    "on-accent": "#0c1116",
    "series-1": "#5fb4e8",
    "series-2": "#f0b53c",
    "series-3": "#35c79b",
    "series-4": "#dd9cc1",
    "series-5": "#f08a4b",
    "series-6": "#3f8fd0",
    "series-7": "#a3a9b0",
}
SERIES = [f"var(--series-{k})" for k in range(1, 8)]
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
LABELS = {"labelColor": "var(--soft)", "titleColor": "var(--soft)", "labelFontSize": 11, "titleFontSize": 11}
CONFIG: dict[str, Any] = {
    "background": None,
    "font": FONT,
    "view": {"stroke": None},
    "axis": LABELS
    | {
        "titleFontWeight": "normal",
        "domainColor": "var(--line)",
        "gridColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelLimit": 160,
    },
    "axisX": {"grid": False},
    "legend": LABELS | {"title": None, "orient": "top", "symbolStrokeWidth": 2, "symbolOpacity": 1, "labelLimit": 160},
    "range": {"category": SERIES},
    "mark": {"color": "var(--accent)"},
    "bar": {"color": "var(--accent)", "cornerRadiusEnd": 2},
    "rule": {"color": "var(--soft)"},
    "text": {"color": "var(--ink)", "fontSize": 11},
}


def variables(colours: Mapping[str, str]) -> str:
    """
    >>> variables({"ink": "#000"})
    '--ink: #000;'
    """
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())


def in_print(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec with the light colours in place of their names, and the configuration that every chart has.

    >>> in_print({"mark": {"color": "var(--ink)"}})["mark"]
    {'color': '#1c2127'}
    """
    text = json.dumps({**spec, "config": CONFIG | {"background": LIGHT["paper"]}})
    for name, colour in LIGHT.items():
        text = text.replace(f"var(--{name})", colour)
    return dict(json.loads(text))
