"""What a run's folder holds, as plain data. Torch is not imported; arrays are read when they are asked for."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mmfuse import __version__
from mmfuse.errors import ConfigError

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Replica:
    """One seed of one fold."""

    name: str  # "seed 0", "seed 0, fold 1"
    folder: Path

    def history(self) -> list[dict[str, float]]:
        """A row an epoch; what is empty is left out."""
        path = self.folder / "history.csv"
        if not path.exists():
            return []
        with open(path, newline="", encoding="utf-8") as file:
            return [{k: float(v) for k, v in row.items() if v not in ("", None)} for row in csv.DictReader(file)]

    def said(self, task: str, split: str = "test") -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Rows (U,), answers (U, K) or (U,) and targets; None where they were not kept."""
        path = self.folder / "answers.npz"
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as arrays:
            names = [f"{split}|{task}|{part}" for part in ("rows", "answers", "targets")]
            return tuple(arrays[name] for name in names) if all(n in arrays.files for n in names) else None


@dataclass(frozen=True)
class Record:
    folder: Path
    config: Figures
    manifest: Figures
    metrics: Figures
    replicas: Sequence[Replica]
    overrides: Sequence[str] = ()
    command: str = ""
    audit: Sequence[Figures] | None = None
    analysis: Figures = field(default_factory=dict)
    unanalysed: str = ""  # why there is no analysis

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def tasks(self) -> Figures:
        """By task, the table of its figures on the test rows."""
        return self.metrics["test"]

    @property
    def other_version(self) -> str | None:
        made = self.manifest["versions"].get("mmfuse")
        return str(made) if made not in (None, __version__) else None

    def why(self, key: str) -> str:
        """Why the analysis lacks something."""
        return str(self.analysis.get("left_out", {}).get(key) or self.unanalysed or "the analysis has none of it")

    def contributions(self) -> Iterator[tuple[str, Figures]]:
        yield from self.analysis.get("contributions", {}).get("tasks", {}).items()


def read(folder: Path, unanalysed: str = "") -> Record:
    """Of a finished run. `unanalysed` says why there may be no analysis.json."""
    folder = folder.resolve()
    try:
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        manifest, metrics = content(folder / "manifest.json"), content(folder / "metrics.json")
        if not metrics["test"] or not isinstance(manifest["versions"], dict) or not isinstance(config["seeds"], list):
            raise ValueError("it holds no test figures")
        return Record(
            folder=folder,
            config=config,
            manifest=manifest,
            metrics=metrics,
            replicas=replicas(folder, config),
            overrides=text(folder / "overrides.txt").splitlines(),
            command=text(folder / "command.sh"),
            audit=content(folder / "audit.json") if (folder / "audit.json").exists() else None,
            analysis=content(folder / "analysis.json") if (folder / "analysis.json").exists() else {},
            unanalysed=unanalysed,
        )
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(
            f"{folder}: its record is damaged: {said}\n  to go on: train it again: sh {folder}/command.sh"
        ) from error


def replicas(folder: Path, config: Figures) -> list[Replica]:
    folds = [None] if config.get("folds") is None else range(config["folds"])
    return [
        Replica(f"seed {s}", folder / f"seed-{s}")
        if fold is None
        else Replica(f"seed {s}, fold {fold}", folder / f"seed-{s}-fold-{fold}")
        for fold in folds
        for s in config["seeds"]
    ]


def content(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
