"""Sections as one HTML file that needs nothing else: no network, no other file.

The page forbids itself to fetch anything (its Content-Security-Policy), so that nothing in the data can make it.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mmfuse import __version__
from mmfuse.report import theme
from mmfuse.report.blocks import Section, charts, numeric, shown, sorts_by, under

HERE = Path(__file__).parent
EDITOR = "https://vega.github.io/editor/"  # where Vega would send a chart if its menu, which we leave out, were asked


def page(title: str, sections: Sequence[Section], about: str = "") -> str:
    """The whole file. `about` is a line under the title."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {"numeric": numeric, "shown": shown, "sorts_by": sorts_by, "under": under}
    environment.globals |= {"kind": kind, "inlined": inlined}
    drawn = charts(sections)
    return environment.get_template("page.html").render(
        title=title,
        about=about,
        sections=[section for section in sections if section.blocks],
        absent=[section for section in sections if not section.blocks],
        version=__version__,
        light=Markup(theme.variables(theme.LIGHT)),
        dark=Markup(theme.variables(theme.DARK)),
        style=Markup((HERE / "style.css").read_text(encoding="utf-8")),
        script=Markup((HERE / "page.js").read_text(encoding="utf-8")),
        vega=Markup(vega()) if drawn else "",
        config=theme.CONFIG,
        room={"width": "container", "autosize": {"type": "fit-x", "contains": "padding"}},
    )


def kind(block: object) -> str:
    return type(block).__name__


def inlined(content: Mapping[str, Any]) -> Markup:
    """JSON that can stand in a script element: no "<" ends the element, or opens another.

    >>> str(inlined({"a": "</script>"}))
    '{"a":"\\\\u003c/script>"}'
    """
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


@cache
def vega() -> str:
    """Vega, Vega-Lite and the function that embeds a chart, as vl-convert carries them."""
    import vl_convert

    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")).replace(EDITOR, "")
