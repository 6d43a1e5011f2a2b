"""As Markdown: a table a task, the best in bold, the notes under them."""

from mmfuse.compare.grid import Word, grid
from mmfuse.compare.table import Comparison


def markdown(comparison: Comparison) -> str:
    parts = []
    for table in comparison.tables:
        words = grid(table)
        lines = [f"**{escaped(table.task)}**\n"] if len(comparison.tables) > 1 else []
        lines.append("| " + " | ".join(escaped(head) for head in words.heads) + " |")
        lines.append("|" + "|".join("---" for _ in words.heads) + "|")
        lines += ["| " + " | ".join(cell(word) for word in row) + " |" for row in words.rows]
        parts.append("\n".join(lines))
    parts += ["\n".join(f"- {escaped(note)}" for note in comparison.notes)] if comparison.notes else []
    return "\n\n".join(parts) + "\n"


def cell(word: Word) -> str:
    return f"**{escaped(word.text)}**" if word.best else escaped(word.text)


def escaped(text: str) -> str:
    r"""
    >>> escaped("a|b_c*")
    'a\\|b\\_c\\*'
    """
    for sign in "\\|*_`<":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())
