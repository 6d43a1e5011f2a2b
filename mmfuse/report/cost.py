"""What it took."""

from datetime import datetime
from typing import Any

from mmfuse.report.blocks import Section, Table
from mmfuse.report.record import Record
from mmfuse.report.words import known


def cost(record: Record) -> Section:
    about = record.analysis.get("cost") or {}
    seconds = about.get("seconds") or {}
    trained = [s for s in seconds.get("train") or epochs(record) if known(s)]
    rows: list[list[Any]] = [
        ["parameters", amount(about.get("parameters", record.manifest.get("parameters")))],
        ["parameters that are trained", amount(about.get("trained"))],
        ["multiply-adds a row", amount(about.get("macs_per_row"))],
        ["training, a run", f"{sum(trained) / len(trained):,.1f} s" if trained else ""],
        ["prediction, a row", f"{1000 * seconds['per_row']:,.3f} ms" if known(seconds.get("per_row")) else ""],
        ["memory at most", f"{about['peak_memory_mb']:,.0f} MB" if known(about.get("peak_memory_mb")) else ""],
        ["all of it, baselines too", lasted(record)],
        ["machine", machine(record)],
    ]
    return Section("cost", "Cost", [Table(["", ""], [row for row in rows if row[1]])])


def epochs(record: Record) -> list[float]:
    """Seconds of each run's epochs."""
    return [sum((row.get("seconds", 0.0) for row in r.history()), 0.0) for r in record.replicas]


def amount(value: float | int | None) -> str:
    """
    >>> amount(546442), amount(12_300_000), amount(None)
    ('546,442', '12.3 million', '')
    """
    if known(value) is None or value is None:
        return ""
    return f"{value / 1e6:,.1f} million" if value >= 1e7 else f"{value:,.0f}"


def lasted(record: Record) -> str:
    made, done = record.manifest.get("created"), record.manifest.get("finished")
    if not made or not done:
        return ""
    form = "%Y-%m-%dT%H:%M:%S%z"
    return f"{(datetime.strptime(done, form) - datetime.strptime(made, form)).total_seconds():,.0f} s"


def machine(record: Record) -> str:
    about = record.manifest.get("hardware", {})
    parts = [
        about.get("system", ""),
        f"{about['cpus']} cores" if "cpus" in about else "",
        *about.get("accelerators", []),
    ]
    return ", ".join(filter(None, parts))
