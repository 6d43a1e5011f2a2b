"""How to run it again, and on what it ran."""

from typing import Any

from mmfuse.report.blocks import Block, Code, Folded, Prose, Section, Table
from mmfuse.report.record import Record


def again(record: Record) -> Section:
    about = record.manifest
    command = "\n".join(line for line in record.command.splitlines() if not line.startswith("#!")).strip()
    git, data = about.get("git") or {}, about.get("data", {})
    commit = (
        f"{git['commit']}{', with changes that were not committed' if git.get('dirty') else ''}"
        if git.get("commit")
        else ""
    )
    rows: list[list[Any]] = [
        ["run", record.name],
        ["made", about.get("created", "")],
        ["seeds", ", ".join(map(str, about.get("seeds", [])))],
        ["folds", about.get("folds")],
        ["data fingerprint", data.get("fingerprint", "")],
        ["commit", commit],
    ]
    versions = [[name, version] for name, version in about["versions"].items() if version]
    blocks: list[Block] = [Code(command)] if command else [Prose("No command was recorded.", True)]
    blocks.append(Table(["", ""], [row for row in rows if row[1] not in (None, "")]))
    return Section("again", "Run it again", [*blocks, Folded("Versions", [Table(["package", "version"], versions)])])
