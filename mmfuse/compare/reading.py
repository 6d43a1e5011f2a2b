"""Finished runs as their folders tell of them: config, manifest, figures. Answers are read for tests only."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from mmfuse.errors import ConfigError
from mmfuse.record import pruned

RECORD = ("config.yaml", "status.json")
DEPTH = 3  # folders of sweeps hold folders of runs
SKIPPED = ("baselines",)  # what other runs are compared with: meant only where it is named itself
QUICK = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times quicker, and not everywhere


class Run(NamedTuple):
    folder: Path
    cfg: Mapping[str, Any]
    manifest: Mapping[str, Any]
    metrics: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What it was called, or else its folder."""
        return str(self.cfg.get("name") or self.folder.name)

    @property
    def places(self) -> list[tuple[int | None, int]]:
        """(fold, seed) in the order in which they were trained, which is that of every figure's values."""
        folds = [None] if self.cfg["folds"] is None else range(self.cfg["folds"])
        return [(fold, seed) for fold in folds for seed in self.cfg["seeds"]]

    def place(self, fold: int | None, seed: int) -> Path:
        return self.folder / (f"seed-{seed}" if fold is None else f"seed-{seed}-fold-{fold}")


class LeftOut(NamedTuple):
    folder: Path
    why: str


def read(places: Sequence[Path]) -> tuple[list[Run], list[LeftOut]]:
    """The finished runs of these folders, each of which is a run or holds some, and those that are not finished."""
    runs: dict[Path, Run] = {}
    left: dict[Path, LeftOut] = {}
    for place in places:
        for folder in folders(place):
            if folder in runs or folder in left:
                continue  # outputs/latest is one of outputs
            found = load(folder)
            if isinstance(found, Run):
                runs[folder] = found
            else:
                left[folder] = found
    if not runs:
        said = "; ".join(f"{about.folder.name} ({about.why})" for about in list(left.values())[:3])
        raise ConfigError(f"none of these runs is finished: {said}\n  to go on: wait for one, or name others")
    return list(runs.values()), list(left.values())


def folders(place: Path) -> list[Path]:
    if not place.is_dir():
        raise ConfigError(
            f"{place}: there is no such folder\n  to go on: runs' folders, or one that holds some: outputs/"
        )
    place = place.resolve()
    found = [place] if is_run(place) else list(inside(place, DEPTH))
    if not found:
        raise ConfigError(
            f"{place} is not the folder of a run and holds none: no config.yaml and status.json"
            "\n  to go on: runs' folders, or one that holds some: outputs/"
        )
    return found


def inside(folder: Path, depth: int) -> Iterator[Path]:
    """Sorted by name; links are not followed, for what they lead to is there by its own name."""
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if e.is_dir(follow_symlinks=False) and e.name not in SKIPPED)
    for name in names:
        if is_run(folder / name):
            yield folder / name
        elif depth > 1:
            yield from inside(folder / name, depth - 1)


def is_run(folder: Path) -> bool:
    return all((folder / name).exists() for name in RECORD)


def load(folder: Path) -> Run | LeftOut:
    try:
        state = json.loads((folder / "status.json").read_bytes())["state"]
        if state != "done":
            why = pruned.told(folder)
            return LeftOut(folder, state if why is None else f"pruned {pruned.in_words(why)}")
        with open(folder / "config.yaml", "rb") as file:
            cfg = yaml.load(file, QUICK)  # a safe loader, whichever it is
        manifest, metrics = (json.loads((folder / f"{name}.json").read_bytes()) for name in ("manifest", "metrics"))
        run = Run(folder, cfg, manifest, metrics)
        missing = [key for key in ("seeds", "folds", "modalities", "tasks", "dataset") if key not in cfg]
        if missing or "test" not in metrics or "data" not in manifest:
            return LeftOut(folder, "its record lacks " + ", ".join(missing or ["its figures or data"]))
        return run
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        return LeftOut(folder, f"damaged: {str(error).splitlines()[0]}")
