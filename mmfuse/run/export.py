"""The trained model of one seed as a file for serving, and beside it, as JSON, what there is to know of the file."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.atomic import write_json
from mmfuse.data.batches import Batches
from mmfuse.encoders.learned_token import LearnedToken
from mmfuse.errors import ConfigError
from mmfuse.export.checked import TOLERANCE, Exported
from mmfuse.export.checked import export as checked
from mmfuse.listener import Listener
from mmfuse.record.tasks import state
from mmfuse.run import restored
from mmfuse.run.answers_of import heard, of_the_same_classes, refuse_other_classes
from mmfuse.run.encoded import frozen
from mmfuse.run.finished import Finished, Place
from mmfuse.run.make import Config
from mmfuse.run.prepare import Frozen, Prepared, divide, kinds, load, prepare
from mmfuse.run.train import set_threads
from mmfuse.types import Model

ROWS = 32  # of the larger batch that the file is checked on; the smaller is a single row


def export(
    run: Finished, kind: str, file: Path | None, opset: int | None, calibrated: bool, listener: Listener
) -> Exported:
    """The first of the run's seeds, and the first of its folds. Raises `ConfigError` where it cannot be had."""
    place = run.places[0]
    file = run.folder / f"model.{kind}" if file is None else file
    set_threads(run.cfg)
    if made := run.other_version:
        listener.advised("version", f"the run was made by mmfuse {made}; its predictions may have been others")
    replica = restored.replica(place)
    temperatures = temperature(run, place) if calibrated else {}
    cfg = of_the_same_classes(run)
    examples = load(cfg)
    refuse_other_classes(examples, replica.tasks)
    prepared = prepare(cfg, examples, dict(divide(cfg, examples))[place.fold], learned=replica.learned)
    model = whole(cfg, prepared, replica)
    rows = prepared.split.test[:ROWS]
    if len(rows) < 2:
        raise ConfigError("the file is checked on test rows, and there are fewer than two")
    batches = Batches(prepared.columns, {})
    each = [batches[part] for part in (rows[: max(2, len(rows) // 4)], rows[:1], rows)]
    done = checked(model, replica.tasks, heard(cfg, None), temperatures, each, file, opset)
    about = described(run, place, done, kind, kinds(cfg), temperatures) | {"tasks": state(replica.tasks)}
    write_json(file.with_name(f"{file.name}.json"), about)
    listener.exported(str(file), place.folder.name, done.difference, done.rows, fixed(done))
    return done


def whole(cfg: Config, prepared: Prepared, replica: restored.Replica) -> Model:
    """With the frozen encoders that training ran once and left out."""
    encoders = {m: frozen(cfg, m, each) for m, each in prepared.preparations.items()}
    found = {m: encoder for m, encoder in encoders.items() if encoder is not None}
    done = {m: Frozen(encoder.dim, 0) for m, encoder in found.items()}
    model = restored.model(cfg, prepared._replace(encoded=done), replica)
    for m, encoder in found.items():
        if isinstance(model.encoders[m], LearnedToken):
            model.encoders[m].encoder = encoder
        else:
            model.encoders[m] = encoder
    return model.eval()


def temperature(run: Finished, place: Place) -> dict[str, float]:
    """By classification, of this seed of this fold: metrics.json has them fold by fold, and seed by seed within."""
    known = json.loads((run.folder / "metrics.json").read_text(encoding="utf-8")).get("calibration", {})
    if not known:
        raise ConfigError("--calibrated: the run has no classification, and other tasks are not tempered")
    which = (place.fold or 0) * len(run.cfg["seeds"]) + list(run.cfg["seeds"]).index(place.seed)
    return {task: float(figures["temperature"]["values"][which]) for task, figures in known.items()}


def fixed(done: Exported) -> dict[str, int]:
    """By modality whose number of steps is not free: how many there have to be."""
    return {m: steps for m, steps in done.steps.items() if steps is not None and not m.endswith("_mask")}


def described(
    run: Finished, place: Place, done: Exported, kind: str, kinds: dict[str, str], temperatures: dict[str, float]
) -> dict[str, Any]:
    """Shapes have null where any number will do."""
    inputs = {}
    for name, x in done.inputs.items():
        shape: list[int | None] = [None, *x.shape[1:]]
        if name in done.steps:
            shape[1] = done.steps[name]
        inputs[name] = {"shape": shape, "dtype": str(x.dtype).removeprefix("torch.")}
    prepared = json.loads((place.folder / "preparation.json").read_text(encoding="utf-8"))
    return {
        "format": kind,
        "run": run.folder.name,
        "model": place.folder.name,
        "modalities": kinds,
        "inputs": inputs,
        "prepared": {m: {"by": run.cfg["encoder"][m]["prepare"], "learned": prepared[m]} for m in kinds},
        "temperatures": temperatures,
        "versions": run.manifest["versions"],
        "data": run.manifest["data"]["fingerprint"],
        "checked": {"difference": done.difference, "allowed": TOLERANCE, "rows": list(np.array(done.rows).tolist())},
    }
