"""As JSON and CSV, with all digits: every figure's parts apart, a record for each row of each task."""

import csv
import io
import json
from typing import Any

from mmfuse.atomic import finite
from mmfuse.compare.table import Comparison, Line, Table


def as_json(comparison: Comparison) -> str:
    content = {
        "reference": comparison.reference,
        "tasks": {table.task: [record(table, line) for line in table.lines] for table in comparison.tables},
        "notes": comparison.notes,
    }
    return json.dumps(finite(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def record(table: Table, line: Line) -> dict[str, Any]:
    return {
        "run": line.row.label,
        "folders": [str(run.folder) for run in line.row.runs],
        "seeds": line.row.seeds,
        "settings": dict(zip(table.columns, line.settings, strict=True)),
        "data": line.data,
        "figures": {m: figure._asdict() for m, figure in line.figures.items()},
        "tests": {m: test._asdict() for m, test in line.tests.items()},
    }


def as_csv(comparison: Comparison) -> str:
    """One header for all tasks; what a row does not have is empty."""
    rows = [flat(table, line) for table in comparison.tables for line in table.lines]
    heads = list(dict.fromkeys(head for row in rows for head in row))
    into = io.StringIO()
    writer = csv.DictWriter(into, heads, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(finite(rows))
    return into.getvalue()


def flat(table: Table, line: Line) -> dict[str, Any]:
    about = record(table, line)
    found = {"task": table.task, "run": about["run"], "folders": " ".join(about["folders"])}
    found |= {"seeds": " ".join(map(str, about["seeds"])), "data": about["data"], **about["settings"]}
    for m, figure in about["figures"].items():
        found |= {f"{m}_{part}": value for part, value in figure.items() if part != "values"}
    for m, test in about["tests"].items():
        found |= {f"{m}_{part}" if part == "difference" else f"{m}_difference_{part}": v for part, v in test.items()}
    return found
