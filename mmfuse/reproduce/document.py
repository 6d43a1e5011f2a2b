"""All tables in one page, from what each has beside its runs: table.json and table.md."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmfuse.errors import DataError
from mmfuse.reproduce.table import Table

OPENING = """# Published tables, reproduced

Written by `mmfuse reproduce --document`, from the tables that have been run. Published and ours are in percent where
they are shares; "ours" is mean ± sample deviation (seeds); "difference" is ours less the published figure, of half the
band's width; "95 %" the bootstrap interval over test rows; "error" the standard error that a test set of n rows gives.

PASS: inside the band, over five seeds. FAIL: outside of it by more than the test set's size explains, or worse than the
floor, which guessing reaches. UNDERPOWERED: neither can be said. NO DATA: data or weights are not here. NOT BUILT:
mmfuse cannot run it. REFERENCE: none was published.
"""
HEAD = ["| table | data set | cells | run until | minutes | mmfuse |", "|---|---|---|---|---|---|"]


def place_of(outputs: Path, table: str, smoke: bool = False) -> Path:
    """Where the runs of a table lie."""
    return outputs / f"baseline-{table}{'-smoke' * smoke}"


def document(tables: Sequence[tuple[Table, str | None]], outputs: Path) -> str:
    """Each table with what it lacks here, if anything; of those without a result it is told where their data are."""
    lines, sections, unrun = list(HEAD), [], []
    for table, lacks in tables:
        place = place_of(outputs, table.name)
        if (place / "table.json").exists():
            lines.append(line(told(place / "table.json")))
            sections.append(section((place / "table.md").read_text(encoding="utf-8")))
        else:
            why = f"NO DATA: {table.get}" if lacks else f"its data are here: `mmfuse reproduce {table.name}`"
            unrun.append(f"- {table.title} (`{table.name}`): {why}")
    if not sections:
        lines = ["None yet."]
    parts = [OPENING, "\n".join(lines) + "\n"]
    if unrun:
        parts.append("Not run:\n\n" + "\n".join(unrun) + "\n")
    return "\n".join([*parts, *sections])


def line(about: Mapping[str, Any]) -> str:
    tally = Counter(cell["verdict"] for cell in about["cells"])
    said = ", ".join(f"{n} {verdict}" for verdict, n in tally.items())
    when = f"{about['day'] or '-'} | {about['seconds'] / 60:.1f} | {about['version']}"
    return f"| {about['title']} | `{about['dataset']}` | {said} | {when} |"


def section(page: str) -> str:
    """A page of its own, as a part of another: headings are one level lower."""
    return "\n".join(f"#{text}" if text.startswith("#") else text for text in page.splitlines()) + "\n"


def told(file: Path) -> dict[str, Any]:
    try:
        about: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        line(about)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file} is damaged, or of another version: {str(error).splitlines()[0]}"
            f"\n  to go on: the table again, by mmfuse reproduce {file.parent.name.removeprefix('baseline-')}"
        ) from error
    return about
