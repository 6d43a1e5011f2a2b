"""What a run is to be compared with: the same experiment on less, under the same budget, rows and seeds.

Each modality alone and all of them concatenated, without objectives, balance or schedule; and, of several tasks, each
task alone. Each is a run of its own, with the whole record, in outputs/baselines, where the next run with the same data
and settings finds it. A late fusion is trained only for those who ask how robust the run is.
"""

import json
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

from mmfuse import __version__
from mmfuse.atomic import write_text
from mmfuse.config.catalog import Catalog
from mmfuse.errors import ConfigError
from mmfuse.listener import Listener
from mmfuse.ranks import here
from mmfuse.record.status import Status
from mmfuse.run.identity import decides, digest
from mmfuse.run.make import Config
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.types import Task

PLAIN = {"fusion": "concat", "model": "feature", "balance": "plain", "schedule": "synchronous", "completion": "none"}


def wanted(cfg: Config) -> dict[str, Config]:
    """By name, such as "text", "concat" and "task digit"; each its whole config."""
    cfg = {k: v for k, v in cfg.items() if k != "logger"}  # a tracker hears of the run, whose verdict names them
    plain, found = plainly(cfg, PLAIN), {}
    if len(cfg["modalities"]) > 1:
        found = {m: narrowed(plain, modalities=[m]) for m in cfg["modalities"]}
        found["concat"] = plain
    if len(cfg["tasks"]) > 1:
        alone = {**cfg, "baselines": False, "balance": plain["balance"], "objectives": {}}
        alone["choices"] = {**cfg["choices"], "balance": "plain"}
        found |= {f"task {t}": narrowed(alone, tasks=[t]) for t in cfg["tasks"]}
    return found


def late(cfg: Config, tasks: Mapping[str, Task]) -> Config:
    """Each modality predicts alone, and the predictions' mean is taken: of probabilities, where all tasks have any."""
    if others := [t for t, task in tasks.items() if task.of is not None or task.between]:
        raise ConfigError(f"late fusion takes votes on whole rows, which the task '{others[0]}' is not about")
    if len(cfg["modalities"]) < 2:
        raise ConfigError(f"late fusion needs two modalities, and this run has {', '.join(cfg['modalities'])} alone")
    votes = "average" if all(isinstance(task, Multiclass) for task in tasks.values()) else "mean"
    return plainly(cfg, PLAIN | {"model": "late", "fusion": votes})


def plainly(cfg: Config, options: Mapping[str, str]) -> dict[str, Any]:
    """With these options, and without objectives."""
    plain = {**cfg, "objectives": {}, "baselines": False, "strategy": {**cfg["strategy"], "transfer": False}}
    for group, name in options.items():
        plain[group] = option(group, name)
    plain["choices"] = {**cfg["choices"], **options}
    return plain


def option(group: str, name: str) -> dict[str, Any]:
    from omegaconf import OmegaConf

    values = OmegaConf.to_container(OmegaConf.load(Catalog().find(group, name)))
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def narrowed(cfg: Config, **names: list[str]) -> Config:
    """On fewer modalities or tasks."""
    dataset = {**cfg["dataset"], **{what: {n: cfg["dataset"][what][n] for n in some} for what, some in names.items()}}
    encoder = {m: about for m, about in cfg["encoder"].items() if m in dataset["modalities"]}
    return {**cfg, **names, "dataset": dataset, "encoder": encoder}


def key(cfg: Config, fingerprint: str) -> str:
    """Of what decides a result: settings, data, version."""
    return digest(decides(cfg), fingerprint, __version__)


def trained(cfg: Config, fingerprint: str, tasks: Mapping[str, Task], listener: Listener) -> dict[str, Path]:
    """By name, the folder of a finished run: trained now, or found."""
    each, place = wanted(cfg), Path(cfg["output_dir"])
    return {
        name: trained_one(name, about, place, fingerprint, tasks, listener, number, len(each))
        for number, (name, about) in enumerate(each.items(), start=1)
    }


def trained_one(
    name: str,
    cfg: Config,
    output_dir: Path,
    fingerprint: str,
    tasks: Mapping[str, Task],
    listener: Listener,
    number: int = 1,
    of: int = 1,
) -> Path:
    from mmfuse.learner.gathered import of_first
    from mmfuse.run.train import run

    folder = output_dir / "baselines" / f"{name.replace(' ', '-')}-{key(cfg, fingerprint)}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    alone = FileLock(folder.with_name(f".{folder.name}.lock"))  # another run may be at the same one
    with alone if here().first else nullcontext():
        known = of_first(Status.read(folder) == "done")
        if not known:
            folder.mkdir(exist_ok=True)  # one that was stopped is gone on with
            if here().first:
                write_text(folder / "config.yaml", yaml.safe_dump(dict(cfg), sort_keys=False, allow_unicode=True))
            run(cfg, folder, Listener())
    if here().first:
        listener.baseline(name, number, of, known, headlines(metrics_of(folder)["test"], tasks))
    return folder


def headlines(test: Mapping[str, Any], tasks: Mapping[str, Task]) -> dict[str, Any]:
    """Each task's first figure, by its name, and the task's where there are several."""
    found = {t: tasks[t].headline[0] for t in test}
    return {f if len(test) == 1 else f"{t} {f}": test[t][f] for t, f in found.items()}


def metrics_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return found


def gain(
    metrics: Mapping[str, Any], alone: Mapping[str, Mapping[str, Any]], better: Mapping[str, tuple[str, bool]]
) -> float:
    """The mean relative gain over models that learn one task each, in the mean over tasks.

    `better` tells of each task which figure counts, and whether more is better.

    >>> both = {"a": {"accuracy": {"mean": 0.9}}, "b": {"mae": {"mean": 1.1}}}
    >>> one = {"a": {"a": {"accuracy": {"mean": 0.8}}}, "b": {"b": {"mae": {"mean": 1.0}}}}
    >>> round(gain(both, one, {"a": ("accuracy", True), "b": ("mae", False)}), 4)
    0.0125
    """
    gains = []
    for task, (figure, more) in better.items():
        single, joint = alone[task][task][figure]["mean"], metrics[task][figure]["mean"]
        gains.append((joint - single) / single * (1 if more else -1))
    return sum(gains) / len(gains)
