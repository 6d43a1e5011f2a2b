"""The rows that the model is most wrong about, with what it saw and heard of them."""

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from mmfuse.report.blocks import Block, Markup, Section, Table
from mmfuse.report.record import Record
from mmfuse.report.words import known
from mmfuse.wording import number

SOURCE = re.compile(r"data:(image|audio)/[a-z0-9.+-]+;base64,[A-Za-z0-9+/=]*")  # all that may stand in src
TEXT = 400  # letters of a text


def worst(record: Record) -> Section:
    blocks: list[Block] = []
    for task, rows in (record.analysis.get("worst") or {}).items():
        if rows:
            blocks.append(Markup(cards(task, rows, len(record.tasks) > 1), in_markdown(task, rows)))
    return Section("worst", "Worst errors", blocks, record.why("worst"))


def cards(task: str, rows: list[Mapping[str, Any]], several: bool) -> str:
    head = f"<figcaption>{escape(task)}</figcaption>" if several else ""
    return f"{head}<ul class='cards'>{''.join(card(row) for row in rows)}</ul>"


def card(row: Mapping[str, Any]) -> str:
    sure = f" at {number(known(row['p']))}" if row.get("p") is not None else ""
    said = f"said <b>{escape(spelled(row.get('predicted')))}</b>{sure}, is <i>{escape(spelled(row.get('target')))}</i>"
    loss = f", loss {number(known(row['loss']))}" if row.get("loss") is not None else ""
    parts = "".join(part(m, about) for m, about in (row.get("shows") or {}).items())
    return f"<li><p class='head'>{said}</p><p class='note'>row {escape(str(row.get('row', '')))}{loss}</p>{parts}</li>"


def spelled(value: Any) -> str:
    """
    >>> spelled(0.25), spelled(["a", "b"]), spelled([]), spelled("3")
    ('.250', 'a, b', 'none', '3')
    """
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "n/a" if value is None else str(value)


def part(modality: str, about: Mapping[str, Any]) -> str:
    return f"<div class='part'><span>{escape(modality)}</span>{shown(modality, about)}</div>"


def shown(modality: str, about: Mapping[str, Any]) -> str:
    kind, source = about.get("kind"), str(about.get("src", ""))
    if kind == "text":
        text = str(about.get("text", ""))
        return escape(text[:TEXT] + "…" * (len(text) > TEXT))
    if kind in ("image", "audio") and SOURCE.fullmatch(source):
        if kind == "image":
            return f"<img src='{source}' alt='{escape(modality, quote=True)}'>"
        return f"<audio controls preload='none' src='{source}'></audio>"
    if kind == "vector":
        return escape(", ".join(number(known(v)) for v in about.get("values", [])[:8]) + " …")
    return "missing" if kind == "missing" else "not shown"


def in_markdown(task: str, rows: list[Mapping[str, Any]]) -> Table:
    entries = [
        [str(r.get("row", "")), spelled(r.get("target")), spelled(r.get("predicted")), known(r.get("p")), texts(r)]
        for r in rows
    ]
    return Table(["row", "is", "said to be", "probability", "text"], entries, task)


def texts(row: Mapping[str, Any]) -> str:
    shows = (row.get("shows") or {}).values()
    return " / ".join(str(about.get("text", ""))[:TEXT] for about in shows if about.get("kind") == "text")
