"""What one seed of a finished run learned: its tasks, what its preparations know, its model with the best weights."""

import json
from collections.abc import Mapping
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch

from mmfuse.errors import ConfigError
from mmfuse.record import tasks
from mmfuse.run.build import build
from mmfuse.run.finished import Place
from mmfuse.run.make import Config
from mmfuse.run.prepare import Prepared
from mmfuse.types import Model, Task


class Replica(NamedTuple):
    place: Place
    learned: Mapping[str, Any]  # by modality: what its preparation learned
    tasks: dict[str, Task]


def replica(place: Place) -> Replica:
    try:
        learned = json.loads((place.folder / "preparation.json").read_text(encoding="utf-8"))
        asked = tasks.restored(json.loads((place.folder / "tasks.json").read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"{place.folder}: preparation.json or tasks.json is damaged: {error}\n{again(place)}"
        ) from error
    return Replica(place, learned, asked)


def model(cfg: Config, prepared: Prepared, replica: Replica) -> Model:
    """With the weights of the best epoch."""
    place = replica.place
    built = build(cfg, prepared._replace(tasks=replica.tasks), place.seed)
    file = place.folder / "checkpoints" / "best.ckpt"
    try:
        saved = torch.load(file, map_location="cpu", weights_only=True)["state_dict"]
        own = {name.removeprefix("model."): value for name, value in saved.items() if name.startswith("model.")}
        built.load_state_dict(own)
    except (RuntimeError, UnpicklingError, EOFError, KeyError, OSError) as error:
        said = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ConfigError(
            f"{file} is damaged, or of another model: {(said or ['it ends too early'])[0]}\n{again(place)}"
        ) from error
    return built.eval()


def again(place: Place) -> str:
    return f"  to go on: another seed with --seed, or train the run again: sh {place.folder.parent}/command.sh"
