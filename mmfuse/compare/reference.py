"""The row that the others are tested against, by whatever name it was typed."""

from collections.abc import Sequence
from pathlib import Path

from mmfuse.compare.folding import Row
from mmfuse.errors import ConfigError, offer


def referred(rows: Sequence[Row], typed: str) -> Row:
    """A run's folder, its folder's name or the start of it, or the name in its config."""
    place = Path(typed)
    by_place = [row for row in rows if place.is_dir() and any(run.folder == place.resolve() for run in row.runs)]
    by_name = [row for row in rows if row.label == typed or any(typed in (r.name, r.folder.name) for r in row.runs)]
    by_start = [row for row in rows if any(run.folder.name.startswith(typed) for run in row.runs)]
    found = by_place or [row for row in rows if row.label == typed] or by_name or by_start
    if not found:
        raise ConfigError(
            f"--ref {typed}: it is not among the runs\n  {offer(typed, [row.label for row in rows[:12]], 'there are')}"
        )
    if len(found) > 1:
        raise ConfigError(
            f"--ref {typed}: {len(found)} rows go by this name, and their settings differ"
            f"\n  to go on: one of their folders: {', '.join(row.first.folder.name for row in found[:6])}"
        )
    return found[0]
