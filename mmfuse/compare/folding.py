"""Runs that differ in nothing but their seeds are one row."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmfuse.compare.flat import Flat, flat
from mmfuse.compare.reading import Run


class Part(NamedTuple):
    """One trained model: a seed of a fold of a run."""

    run: Run
    number: int  # of its value among the run's
    fold: int | None
    seed: int

    @property
    def folder(self) -> Path:
        return self.run.place(self.fold, self.seed)

    def value(self, task: str, figure: str) -> float | None:
        found: float | None = self.run.metrics["test"][task][figure]["values"][self.number]
        return found


class Row(NamedTuple):
    label: str
    runs: tuple[Run, ...]  # the newest first
    parts: tuple[Part, ...]  # each seed of each fold once
    settings: Flat

    @property
    def first(self) -> Run:
        return self.runs[0]

    @property
    def seeds(self) -> list[int]:
        return sorted({part.seed for part in self.parts})

    @property
    def whole(self) -> bool:
        """Whether it is one run with nothing left out, so that the run's own intervals are the row's."""
        return len(self.runs) == 1

    def figures(self, task: str) -> list[str]:
        """The names of the figures that have a value for each of the row's models."""
        tables = [run.metrics["test"].get(task, {}) for run in self.runs]
        return [f for f in tables[0] if f not in ("per_class", "confusion") and all(f in t for t in tables)]

    def values(self, task: str, figure: str) -> list[float | None]:
        return [part.value(task, figure) for part in self.parts]


def fold(runs: Sequence[Run]) -> tuple[list[Row], list[str]]:
    """Rows in the order of their first runs, and a note on every run whose seeds others had already."""
    alike: dict[Any, list[Run]] = {}
    settings: dict[Any, Flat] = {}
    for run in runs:
        about = flat(run.cfg)
        alike.setdefault(known := identity(run, about), []).append(run)
        settings.setdefault(known, about)
    rows, notes = [], []
    for known, group in alike.items():
        newest = sorted(group, key=lambda run: str(run.manifest.get("created", "")), reverse=True)
        parts = {(part.fold, part.seed): part for run in reversed(newest) for part in parts_of(run)}
        used = [run for run in newest if any(part.run is run for part in parts.values())]
        ordered = sorted(parts.values(), key=lambda part: (part.fold or 0, part.seed))
        rows.append(Row(used[0].name, tuple(used), tuple(ordered), settings[known]))
        double = sum(len(run.places) for run in newest) - len(parts)
        if double:
            notes.append(
                f"{used[0].name}: {double} of its {len(parts) + double} models repeat a seed; the newest of each counts"
            )
    return relabelled(rows), notes


def identity(run: Run, settings: Flat) -> Any:
    """What two runs have alike that differ in their seeds only: settings and data."""
    data = run.manifest["data"]
    splits = tuple(str(split.get("ids")) for split in data.get("splits", []))
    return frozenset(settings.items()), data.get("fingerprint"), splits


def parts_of(run: Run) -> Iterator[Part]:
    for number, (fold, seed) in enumerate(run.places):
        yield Part(run, number, fold, seed)


def relabelled(rows: Sequence[Row]) -> list[Row]:
    """Rows of one name go by their folders."""
    times = Counter(row.label for row in rows)
    return [row if times[row.label] == 1 else row._replace(label=row.first.folder.name) for row in rows]
