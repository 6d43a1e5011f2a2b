"""The same as Markdown, for a repository: tables are tables, charts are files beside it."""

from collections.abc import Sequence

from mmfuse.report.blocks import (
    Banner,
    Beside,
    Block,
    Chart,
    Code,
    Folded,
    Markup,
    Prose,
    Section,
    Table,
    numeric,
    shown,
    under,
)
from mmfuse.report.figures import file_of


def markdown(title: str, sections: Sequence[Section], about: str = "") -> str:
    """Charts lead to figures/<name>.svg."""
    parts = [f"# {plain(title)}", *([plain(about)] if about else [])]
    for section in sections:
        if section.blocks:
            parts += [f"## {plain(section.title)}", *(written(block) for block in section.blocks)]
    absent = [[section.title, section.absent] for section in sections if not section.blocks]
    if absent:
        parts += ["## What is not here", table(Table(["section", "why"], absent))]
    return "\n\n".join(parts) + "\n"


def written(block: Block) -> str:
    match block:
        case Prose():
            return plain(block.text)
        case Banner():
            label = f"{block.label}: " if block.label else ""
            return f"**{plain(label + block.word)}.** {plain(block.sentence)}"
        case Table():
            return table(block)
        case Chart():
            return f"![{plain(block.title)}]({file_of(block)})"
        case Beside():
            return "\n".join(map(written, block.charts))
        case Code():
            return fenced(block.text)
        case Folded():
            return "\n\n".join(["### " + plain(block.title), *map(written, block.blocks)])
        case Markup():
            return block.plain if isinstance(block.plain, str) else table(block.plain)


def table(block: Table) -> str:
    head = [cell(column) for column in block.columns]
    rule = ["---:" if right else "---" for right in numeric(block)]
    rows = [[cell(f"{shown(entry)} {under(entry)}".strip()) for entry in row] for row in block.rows]
    lines = [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]
    return "\n".join([*([plain(block.caption), ""] if block.caption else []), *lines])


def cell(text: str) -> str:
    """
    >>> cell("a|b <i>")
    'a\\\\|b &lt;i>'
    """
    return plain(text).replace("|", "\\|")


def plain(text: str) -> str:
    """On one line, with nothing that Markdown would take for HTML, a link or a picture.

    >>> plain("<script> ![x](y)")
    '&lt;script> !\\\\[x\\\\](y)'
    """
    text = " ".join(text.split()).replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;")
    return text.replace("`", "\\`").replace("](", "\\](").replace("![", "!\\[")


def fenced(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text.rstrip()}\n{fence}"
