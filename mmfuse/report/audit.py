"""What is odd about the data."""

from mmfuse.report.blocks import Prose, Section, Table
from mmfuse.report.record import Record

GRADES = ("error", "warning", "note")
SHOWN = 8  # rows of a finding


def audit(record: Record) -> Section:
    if record.audit is None:
        return Section("audit", "Data", absent="there is no audit.json")
    data = record.manifest.get("data", {})
    splits = data.get("splits", [])
    sizes = (
        ", ".join(f"{splits[0][name]:,} {name}" for name in ("train", "val", "test") if name in splits[0])
        if splits
        else ""
    )
    folds = f", fold 1 of {len(splits)}" if len(splits) > 1 else ""
    about = f"{data.get('rows', 0):,} rows: {sizes}{folds}." if sizes else ""
    found = sorted(record.audit, key=lambda f: GRADES.index(f["grade"]) if f["grade"] in GRADES else len(GRADES))
    rows = [[f["grade"], f["check"], f["where"], f["said"], first(f["rows"])] for f in found]
    strong = [k for k, f in enumerate(found) if f["grade"] == "error"]
    table = Table(["grade", "check", "where", "what was found", "rows"], rows, "What the audit found", strong)
    nothing = Prose("The audit found nothing.", True)
    return Section("audit", "Data", [*([Prose(about)] if about else []), table if rows else nothing])


def first(rows: list[int]) -> str:
    """
    >>> first([3, 4]), first(list(range(20)))
    ('3 4', '0 1 2 3 4 5 6 7 …')
    """
    return " ".join(map(str, rows[:SHOWN])) + " …" * (len(rows) > SHOWN)
