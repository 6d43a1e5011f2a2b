"""The order of a table's lines: the best first, or by a column."""

from typing import Any

from mmfuse.compare.table import Line, Table
from mmfuse.errors import ConfigError, offer
from mmfuse.metrics.direction import less

OTHERS = ("run", "given")


def ordered(table: Table, by: str | None, reverse: bool) -> list[Line]:
    """By a figure (its best first), a column, "run", or "given": as they were named. Default: the first figure."""
    by = by or table.metrics[0]
    if by == "given":
        lines = list(table.lines)
    elif by == "run":
        lines = sorted(table.lines, key=lambda line: line.row.label)
    elif by in table.columns:
        place = table.columns.index(by)
        lines = sorted(table.lines, key=lambda line: natural(line.settings[place]))
    elif by in table.metrics:
        lines = sorted(table.lines, key=lambda line: worth(line, by))
    else:
        names = (*table.metrics, *table.columns, *OTHERS)
        raise ConfigError(f"--sort {by}: there is no such column\n  {offer(by, names, 'there are')}")
    return lines[::-1] if reverse else lines


def worth(line: Line, metric: str) -> tuple[bool, float]:
    """Lower is better; what has no figure comes last."""
    mean = line.figures[metric].mean if metric in line.figures else None
    return mean is None, 0.0 if mean is None else mean if less(metric) else -mean


def natural(text: str) -> tuple[bool, Any]:
    """
    >>> sorted(["10", "9", "gated"], key=natural)
    ['9', '10', 'gated']
    """
    try:
        return False, float(text)
    except ValueError:
        return True, text
