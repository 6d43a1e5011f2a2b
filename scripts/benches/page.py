"""The results as a page of Markdown: docs/performance.md."""

from typing import Any

from benches.results import rows_of
from benches.row import Row
from benches.sections import SECTIONS, about

INTRODUCTION = """\
# Performance

Written by `python scripts/bench.py --json results.json --markdown docs/performance.md`; each section is a file of
`scripts/benches`. A ratio says more than a time does. Ours and its rival take turns in one process, or as commands one
after the other, and what is told is the median of the turns. Work that is done in the process is timed by the CPU time
of one thread, which means something on a machine that is not idle, if less than on one that is: what others do to the
caches is in it. Where a wall clock is read, the section says so. A goal is of the ratio, or of our own figure where
there is no rival.
"""
HEADER = "| | ours | rival | ratio | goal | | |\n|---|---:|---:|---:|---|---|---|"


def page(found: dict[str, Any]) -> str:
    told = [name for name in SECTIONS if name in found["sections"]]
    whole = {name: rows_of(found["sections"][name]) for name in told}
    parts = [INTRODUCTION, machine(found["machine"]), summary(whole)]
    if left := [name for name in SECTIONS if name not in told]:
        parts.append(f"Not measured: {', '.join(left)}.\n")
    parts += [section(name, found["sections"][name], whole[name]) for name in told]
    return "\n".join(parts)


def machine(about_it: dict[str, Any]) -> str:
    said = ", ".join(f"{name} {value}" for name, value in about_it.items() if name not in ("processor", "date"))
    return f"Machine: {about_it['processor']}, {said}.\n"


def summary(whole: dict[str, list[Row]]) -> str:
    goals = [(name, row) for name, rows in whole.items() for row in rows if row.met]
    missed = [(name, row) for name, row in goals if row.met == "FAIL"]
    lines = [f"{len(goals) - len(missed)} of {len(goals)} goals are met."]
    if missed:
        lines += ["Missed:", "", HEADER, *(line(row, f"{name}: ") for name, row in missed)]
    return "\n".join(lines) + "\n"


def section(name: str, found: dict[str, Any], rows: list[Row]) -> str:
    before, after = found["load"]
    when = f"{found['date']}, {found['seconds']:.0f} s of wall time, load {before} before and {after} after."
    return "\n".join([f"## {name}", "", about(name), "", when, "", HEADER, *map(line, rows)]) + "\n"


def line(row: Row, before: str = "") -> str:
    name, *rest = row.cells()
    label = before + ("… " if name.startswith(" ") else "") + name.strip().replace("|", "\\|")
    return "| " + " | ".join([label, *rest]) + " |"
