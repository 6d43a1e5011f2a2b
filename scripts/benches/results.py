"""What was measured, section by section, as JSON: a later run of some sections takes the place of theirs alone."""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benches.machine import load, machine
from benches.row import Row


def section(rows: Iterable[Row], seconds: float, load_before: float) -> dict[str, Any]:
    return {
        "date": time.strftime("%Y-%m-%d"),
        "seconds": round(seconds, 1),
        "load": [round(load_before, 1), round(load(), 1)],
        "rows": [row._asdict() | {"ratio": row.ratio, "met": row.met} for row in rows],
    }


def read(file: Path | None) -> dict[str, Any]:
    if file is None or not file.exists():
        return {"machine": machine(), "sections": {}}
    return json.loads(file.read_text()) | {"machine": machine()}


def write(found: dict[str, Any], file: Path) -> None:
    file.write_text(json.dumps(found, indent=1) + "\n")


def rows_of(found: dict[str, Any]) -> list[Row]:
    """Of a section."""
    names = Row._fields
    return [
        Row(**{n: row[n] for n in names} | {"goal": tuple(row["goal"]) if row["goal"] else None})
        for row in found["rows"]
    ]
