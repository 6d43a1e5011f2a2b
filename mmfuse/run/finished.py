"""A finished run, as its folder tells of it. Torch is not imported: what cannot be is told at once."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmfuse import __version__
from mmfuse.config.target import check_allowed
from mmfuse.errors import ConfigError, DataError, offer
from mmfuse.record.status import Status

Config = Mapping[str, Any]
OWN = ("test", "val", "train")  # a run's own rows, by split
NEEDED = ("checkpoints/best.ckpt", "preparation.json", "tasks.json")


class Place(NamedTuple):
    """Where one seed of one fold left what it learned."""

    seed: int
    fold: int | None
    folder: Path


class Finished(NamedTuple):
    folder: Path
    cfg: Config
    manifest: Mapping[str, Any]
    places: tuple[Place, ...]

    @property
    def other_version(self) -> str | None:
        """The version that made it, where this is another one."""
        made = self.manifest["versions"].get("mmfuse")
        return str(made) if made not in (None, __version__) else None


def finished(place: Path, allow: Collection[str] = (), seed: int | None = None) -> Finished:
    """With one of its seeds, or all of them. Its config may build only what any config may."""
    folder = refuse_unless_finished(place)
    cfg = config_of(folder, allow)
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder}: its record is damaged: {str(error).splitlines()[0]}") from error
    cfg = cfg | {"dataset": found_from(Path(manifest.get("cwd", ".")), cfg["dataset"])}
    if seed is not None and seed not in cfg["seeds"]:
        raise ConfigError(f"--seed {seed}: the run has {', '.join(map(str, cfg['seeds']))}")
    seeds = cfg["seeds"] if seed is None else [seed]
    folds = [None] if cfg["folds"] is None else list(range(cfg["folds"]))
    places = tuple(
        Place(s, fold, folder / (f"seed-{s}" if fold is None else f"seed-{s}-fold-{fold}"))
        for fold in folds
        for s in seeds
    )
    for each in places:
        for name in NEEDED:
            if not (each.folder / name).exists():
                raise ConfigError(
                    f"{each.folder / name} is missing, and nothing can be predicted without it"
                    f"\n  to go on: another seed with --seed, or train the run again: sh {folder}/command.sh"
                )
    return Finished(folder, cfg, manifest, places)


def config_of(folder: Path, allow: Collection[str]) -> dict[str, Any]:
    """A run's resolved config, which may build only what any config may."""
    import yaml

    try:
        cfg: dict[str, Any] = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{folder}: its record is damaged: {str(error).splitlines()[0]}") from error
    check_targets(cfg, "", allow)
    return cfg


def found_from(there: Path, dataset: Mapping[str, Any]) -> dict[str, Any]:
    """With paths that are not here, but are from where the run was started."""

    def moved(value: Any) -> bool:
        return isinstance(value, str) and bool(value) and not Path(value).exists() and (there / value).exists()

    return {name: str(there / value) if moved(value) else value for name, value in dataset.items()}


def refuse_unless_run(place: Path) -> Path:
    if not place.is_dir():
        raise ConfigError(
            f"{place}: there is no such folder\n  to go on: outputs/latest, or another folder that mmfuse train made"
        )
    if not (place / "config.yaml").exists() or not (place / "status.json").exists():
        inside = [f"{run.parent}" for run in sorted(place.glob("*/status.json"))]
        advice = f"did you mean {inside[-1]}?" if inside else "such as outputs/latest, which mmfuse train makes"
        raise ConfigError(f"{place} is not the folder of a run: it has no config.yaml and status.json\n  {advice}")
    return place.resolve()


def refuse_unless_finished(place: Path) -> Path:
    folder = refuse_unless_run(place)
    state = Status.read(place)
    if state != "done":
        raise ConfigError(
            f"{place}: this run is not finished; its status is '{state}'"
            f"\n  to go on: wait for it, or mmfuse train --resume {place}"
        )
    return folder


def check_targets(part: Any, where: str, allow: Collection[str]) -> None:
    if isinstance(part, list):
        part = {str(number): inner for number, inner in enumerate(part)}
    if isinstance(part, dict):
        if "_target_" in part:
            check_allowed(str(part["_target_"]), where, allow)
        for name, inner in part.items():
            check_targets(inner, f"{where}.{name}" if where else str(name), allow)


def refuse_unless_there(data: str) -> None:
    if data in OWN or Path(data).exists():
        return
    raise DataError(
        f"{data}: not found\n  looked in {Path(data).absolute().parent}"
        f"\n  to go on: a table's path; or {', '.join(OWN)}: the run's own rows"
    )


def heard(cfg: Config, typed: str | None) -> Sequence[str] | None:
    """The modalities of --modalities A,B; None where all are to be heard."""
    named = None if typed is None else [name.strip() for name in typed.strip("[] ").split(",")]
    for name in named or ():
        if name not in cfg["modalities"]:
            raise ConfigError(f"--modalities: the run has no '{name}'\n  {offer(name, cfg['modalities'], 'it has')}")
    return named
