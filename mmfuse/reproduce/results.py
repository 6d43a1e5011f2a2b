"""From the folders of runs to cells, each with a verdict."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mmfuse.errors import ConfigError
from mmfuse.record.status import Status
from mmfuse.reproduce import running
from mmfuse.reproduce.band import judge, standard_error
from mmfuse.reproduce.cell import Cell
from mmfuse.reproduce.figures import figure as figure_of
from mmfuse.reproduce.planned import Planned
from mmfuse.reproduce.table import Row, Table
from mmfuse.sweep import failures


def cells(table: Table, planned: Sequence[Planned], place: Path, smoke: bool = False) -> list[Cell]:
    """A smoke's runs are not judged."""
    return [cell for each in planned for cell in of_row(table, each, place, smoke)]


def of_row(table: Table, planned: Planned, place: Path, smoke: bool) -> list[Cell]:
    folder = place / planned.folder
    if planned.lacks is not None:
        return [empty(table, planned.row, figure, *planned.lacks) for figure in planned.row.figures]
    state = Status.read(folder)
    if state != "done":
        said = ("FAILED", failures.last_words(folder, 4)) if state == "failed" else ("NOT RUN", "")
        return [empty(table, planned.row, figure, *said) for figure in planned.row.figures]
    metrics, manifest = record(folder, "metrics.json"), record(folder, "manifest.json")
    found = metrics["test"].get(planned.row.task)
    if found is None:
        raise ConfigError(
            f"{table.name}: the row '{planned.row.name}' is about the task '{planned.row.task}', which its run has not"
            f"\n  the run has: {', '.join(metrics['test'])}"
        )
    rows = judged(manifest, "test", planned.row.task)
    counted = dict.fromkeys(found, rows)
    for name in planned.row.figures:
        if "@" in name:
            found[name], counted[name] = of_part(table, planned, name.partition("@")[2], folder)
    return [filled(table, planned.row, name, found, counted, folder, smoke) for name in planned.row.figures]


def judged(manifest: Mapping[str, Any], side: str, task: str) -> int:
    """How many rows there are of a side, or labelled steps where the task is about steps; of folds, together."""
    return sum(split.get("steps", {}).get(task, split)[side] for split in manifest["data"]["splits"])


def of_part(table: Table, planned: Planned, part: str, folder: Path) -> tuple[dict[str, Any], int]:
    from mmfuse.reproduce import parts

    root = running.config_of(planned)["dataset"]["root"]
    return parts.figures(folder, planned.row.task, parts.Part(**table.parts[part]), Path(root))


def empty(table: Table, row: Row, figure: str, verdict: str, why: str) -> Cell:
    published = row.published.get(figure)
    said = (row.mark, row.source) if published is not None else ("", "")
    return Cell(row.name, figure, published, *said, verdict, why, table.floor(figure))


def filled(
    table: Table,
    row: Row,
    figure: str,
    found: Mapping[str, Any],
    counted: Mapping[str, int],
    folder: Path,
    smoke: bool,
) -> Cell:
    if figure not in found:
        raise ConfigError(
            f"{table.name}: the run of the row '{row.name}' does not produce the figure '{figure}'"
            f"\n  it produces: {', '.join(name for name in found if name not in ('per_class', 'confusion'))}"
        )
    about, scale = figure_of(figure), figure_of(figure).scale
    values = [scale * number(value) for value in found[figure]["values"]]
    low, high = (scale * number(bound) for bound in found[figure]["ci95"])
    rows, seeds = counted[figure], len(running.seeds_of(folder))
    cell = empty(table, row, figure, "RAN" if smoke else "REFERENCE", "")._replace(
        mean=scale * number(found[figure]["mean"]),
        std=scale * number(found[figure]["std"]) if len(values) > 1 else None,
        interval=(low, high),
        seeds=seeds,
        rows=rows,
    )
    if smoke:
        return cell._replace(why="one epoch of two batches: no figure to be judged")
    if cell.published is None:
        return cell._replace(why="none was published")
    error = standard_error(about, cell.published, rows, cell.interval)
    tolerance = row.tolerance.get(figure)
    judged = judge(values, cell.published, about, rows, cell.floor, error, tolerance, seeds)
    return cell._replace(
        verdict=judged.verdict,
        why=judged.why,
        error=error,
        difference=judged.difference,
        tolerance=judged.tolerance,
    )


def number(value: float | None) -> float:
    """What a record has for a value that is none, it has as null."""
    return float("nan") if value is None else float(value)


def record(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
    return found


def done(planned: Sequence[Planned], place: Path) -> list[Path]:
    folders = [place / each.folder for each in planned if each.folder and each.lacks is None]
    return [folder for folder in folders if Status.read(folder) == "done"]


def counts(table: Table, planned: Sequence[Planned], place: Path) -> list[str]:
    """In words, where the rows that were run on are not as many as the paper's."""
    said: dict[str, None] = {}
    for each in planned:
        if not done([each], place):
            continue
        manifest = record(place / each.folder, "manifest.json")
        here = {side: judged(manifest, side, each.row.task) for side in table.counted}
        others = [f"{side} {here[side]:,}, the paper {n:,}" for side, n in table.counted.items() if here[side] != n]
        if others and len(manifest["data"]["splits"]) == 1:
            said.setdefault(f"rows are not as many as the paper's: {'; '.join(others)}")
    return list(said)


def seconds(planned: Sequence[Planned], place: Path) -> float:
    """From the beginning to the end of each run, together."""
    spans = [record(folder, "manifest.json") for folder in done(planned, place)]
    return sum(((moment(span["finished"]) - moment(span["created"])).total_seconds() for span in spans), start=0.0)


def newest(planned: Sequence[Planned], place: Path) -> str | None:
    """The day on which the last run ended."""
    return max((record(folder, "manifest.json")["finished"][:10] for folder in done(planned, place)), default=None)


def machines(planned: Sequence[Planned], place: Path) -> list[str]:
    """What the runs were made on, each kind once."""
    found = [record(folder, "manifest.json").get("hardware", {}) for folder in done(planned, place)]
    return list(dict.fromkeys(machine(hardware) for hardware in found if hardware))


def machine(hardware: Mapping[str, Any]) -> str:
    """
    >>> machine({"machine": "x86_64", "cpus": 2, "threads": 1, "accelerators": []})
    'x86_64, 2 cores, 1 thread a run'
    """
    threads, devices = hardware["threads"], hardware["accelerators"]
    parts = [
        hardware["machine"],
        f"{hardware['cpus']} cores",
        f"{threads} thread{'s' * (threads != 1)} a run",
        *devices,
    ]
    return ", ".join(parts)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
