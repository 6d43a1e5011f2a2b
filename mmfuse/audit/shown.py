"""Findings for a person to read: a table of all of them, or a paragraph."""

from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from mmfuse.listener import Finding

SHOWN = 5  # rows of a finding
WORST = 3  # findings of a paragraph
COLOURS = {"error": "red", "warning": "yellow", "note": "dim"}


def counts(findings: Sequence[Finding]) -> str:
    """
    >>> counts([Finding("error", "nan", "", ""), *2 * [Finding("note", "lengths", "", "")]])
    '1 error, no warning, 2 notes'
    """
    of = Counter(finding.grade for finding in findings)
    return ", ".join(f"{of[g] or 'no'} {g}{'s' * (of[g] > 1)}" for g in ("error", "warning", "note"))


def rows(finding: Finding) -> str:
    """
    >>> rows(Finding("note", "missing", "text", "", (3, 4, 9, 12, 13, 17)))
    '3 4 9 12 13 …'
    """
    return " ".join(map(str, finding.rows[:SHOWN])) + " …" * (len(finding.rows) > SHOWN)


def paragraph(findings: Sequence[Finding]) -> str:
    """Counts by grade, and a line for each of the worst, of what a quick look has found."""
    worst = [f for f in findings if f.grade != "note"][:WORST]
    lines = [f"         {f.grade:<8} {f.check}{f' ({f.where})' if f.where else ''}: {f.said}" for f in worst]
    more = sum(f.grade != "note" for f in findings) - len(worst)
    after = f"{more} more in audit.json; " if more else ""
    return "\n".join([f"audit    at a glance {counts(findings)}; {after}all that can be told: mmfuse check", *lines])


def table(findings: Sequence[Finding]) -> Table:
    """A row for each, of what fits the terminal."""
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), expand=False)
    found.add_column("grade", no_wrap=True)
    found.add_column("check", max_width=12)
    found.add_column("where", max_width=14, overflow="fold")
    found.add_column("what was found", ratio=1)
    found.add_column("rows", max_width=14)
    for f in findings:
        graded = Text(f.grade, style=COLOURS[f.grade])
        found.add_row(graded, f.check, Text(f.where), Text(f.said), rows(f))
    return found
