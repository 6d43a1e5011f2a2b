"""Mean, sample deviation and interval of each row's figures."""

from collections.abc import Mapping, Sequence

import numpy as np

from mmfuse.compare.folding import Row
from mmfuse.compare.table import Figure

Key = tuple[str, str, str]  # task, figure, row
Bounds = Mapping[str, tuple[float | None, float | None]]


def figures_of(
    rows: Sequence[Row], asked: Mapping[str, Sequence[str]], samples: int | None
) -> tuple[dict[Key, Figure], list[str]]:
    """A row of one run has the run's own interval; that of several runs is drawn anew, of all their models together."""
    found: dict[Key, Figure] = {}
    notes = []
    for row in rows:
        for task, metrics in asked.items():
            known = row.figures(task)
            there = [m for m in metrics if m in known]
            if not there:
                continue
            bounds, why = (own(row, task, there), None) if row.whole else together(row, task, there, samples)
            if why:
                notes.append(f"{row.label}: no interval over its {len(row.runs)} runs: {why}")
            for m in there:
                found[task, m, row.label] = figure(row.values(task, m), *bounds.get(m, (None, None)))
    return found, list(dict.fromkeys(notes))


def own(row: Row, task: str, metrics: Sequence[str]) -> Bounds:
    table = row.first.metrics["test"][task]
    return {m: tuple(table[m].get("ci95") or (None, None)) for m in metrics}


def together(row: Row, task: str, metrics: Sequence[str], samples: int | None) -> tuple[Bounds, str | None]:
    """What scores answers takes seconds to import, and is needed for such rows only."""
    from mmfuse.compare.asked import UntestableError
    from mmfuse.compare.intervals import intervals

    try:
        return intervals(row, task, metrics, samples), None
    except UntestableError as error:
        return {}, str(error)


def figure(values: list[float | None], low: float | None, high: float | None) -> Figure:
    """
    >>> figure([0.5, 0.7, 0.9], 0.4, 0.95)[:2]
    (0.7000000000000001, 0.2)
    >>> figure([0.5], None, None)[:2], figure([0.5, None], None, None)[:2]
    ((0.5, None), (None, None))
    """
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return Figure(None, None, low, high, values)  # a seed has none, so that the others are no mean of the row
    std = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return Figure(float(np.mean(known)), std, low, high, values)
