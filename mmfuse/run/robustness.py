"""How a finished run bears noise: its figures at rising levels of it, and against a late fusion.

    from mmfuse.run.robustness import noise_curves

    found = noise_curves(run, Listener())  # mmfuse.run.finished
    found["tasks"]["digit"]["image"]["blur"]["values"]

One modality is spoiled at a time, in the rows as they lie in the data set; frozen encoders are run anew on what comes
of them. Level 0 is what the run said of clean rows. The formulas of both robustnesses stand in metrics/curve.py.
"""

import math
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from mmfuse.corruption.catalog import CORRUPTIONS, fitting
from mmfuse.errors import ConfigError, UserError
from mmfuse.listener import Listener
from mmfuse.metrics import curve
from mmfuse.metrics.direction import less
from mmfuse.record import log
from mmfuse.run import baselines
from mmfuse.run.answers_of import Ready, heard, own_rows
from mmfuse.run.finished import Finished, Place
from mmfuse.run.given import some
from mmfuse.run.loader import loader
from mmfuse.run.make import Config
from mmfuse.run.noisy import Noisy
from mmfuse.run.prepare import Prepared, kinds
from mmfuse.run.restored import model, replica
from mmfuse.run.train import set_threads
from mmfuse.run.under_noise import Curve, Heights, asked_about
from mmfuse.types import Examples

Asked = Mapping[str, Mapping[str, Sequence[float]]]  # by modality, by kind of noise: levels, the first without any

DRAWS = 3


def noise_curves(
    run: Finished,
    listener: Listener,
    late: Finished | None = None,
    asked: Asked | None = None,
    split: str = "test",
    modalities: Collection[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    most: int | None = None,
) -> dict[str, Any]:
    """By task, modality and kind of noise, in each task's first figure; the same of `late`, a late fusion's run.

    `asked` None is every kind that fits each modality, at its own levels. A kind that cannot be is left out with the
    reason where all were asked for, and else refused. `most` rows of a fold are asked about, drawn by chance. A level
    without any noise that is not 0 is written null.
    """
    if draws < 1:
        raise ValueError(f"draws={draws}: at least 1 is needed")
    tasks = replica(run.places[0]).tasks
    wanted = everything(run.cfg) if asked is None else asked
    heights, left_out, rows = measured(run, wanted, asked is not None, split, modalities, draws, seed, most, listener)
    named = {t: task.headline[0] for t, task in tasks.items()}
    found: dict[str, Any] = {"split": split, "rows": rows, "draws": draws, "seed": seed, "figure": named}
    found |= {"tasks": curves(heights, wanted), "left_out": left_out}
    if late is not None:
        theirs, _, _ = measured(late, wanted, False, split, modalities, draws, seed, most, Listener())
        found["late"] = curves(theirs, wanted)
        found["robustness"] = robustness(found["tasks"], found["late"], named)
    return found


def everything(cfg: Config) -> Asked:
    return {m: {name: CORRUPTIONS[name].levels for name in fitting(kind)} for m, kind in kinds(cfg).items()}


def measured(
    run: Finished,
    asked: Asked,
    strict: bool,
    split: str,
    modalities: Collection[str] | None,
    draws: int,
    seed: int,
    most: int | None,
    listener: Listener,
) -> tuple[Heights, dict[str, dict[str, str]], int]:
    """The figures of each of the run's models, what is left out and why, and how many rows were asked about."""
    set_threads(run.cfg)
    examples, ready = own_rows(run, split, listener)
    cuda = torch.cuda.is_available() and run.cfg["trainer"]["accelerator"] != "cpu"
    device = torch.device("cuda" if cuda else "cpu")
    parts: list[Heights] = []
    left_out: dict[str, dict[str, str]] = {}
    number = 0
    with tempfile.TemporaryDirectory() as aside, log.to_file(Path(aside) / "warnings.log"), torch.no_grad():
        for places in by_fold(run.places):
            prepared, rows = prepared_for(ready, places[0])
            rows = rows if most is None else some(rows, most)
            number += len(rows)
            noisy, chosen, left_out = possible(run.cfg, examples, prepared, asked, strict, device, seed)
            if not parts and (anew := [m for m, each in noisy.items() if each.encoder is not None]):
                listener.advised(", ".join(anew), "its encoder is frozen, and runs anew on every level of noise")
            tasks = replica(places[0]).tasks
            models = [model(run.cfg, prepared, replica(place)).to(device) for place in places]
            batches = loader(run.cfg, prepared, rows, None)
            hears = heard(run.cfg, modalities)
            parts += asked_about(models, batches, tasks, noisy, chosen, hears, draws, device)
    return joint(parts), left_out, number


def by_fold(places: Sequence[Place]) -> list[list[Place]]:
    folds = dict.fromkeys(place.fold for place in places)
    return [[place for place in places if place.fold == fold] for fold in folds]


def prepared_for(ready: Ready, place: Place) -> tuple[Prepared, np.ndarray]:
    return ready(replica(place))


def possible(
    cfg: Config,
    examples: Examples,
    prepared: Prepared,
    asked: Asked,
    strict: bool,
    device: torch.device,
    seed: int,
) -> tuple[dict[str, Noisy], list[Curve], dict[str, dict[str, str]]]:
    """By modality what makes it noisy, the curves to draw, and why others are not."""
    noisy: dict[str, Noisy] = {}
    chosen: list[Curve] = []
    left_out: dict[str, dict[str, str]] = {}
    labelled = {task.of: t for t, task in examples.tasks.items() if task.of is not None}
    for m, each in asked.items():
        for kind, levels in each.items():
            try:
                if kind == "words" and m in labelled:
                    raise ValueError(f"its words are labelled (task '{labelled[m]}'), so that none may go")
                corruption = CORRUPTIONS[kind].of(prepared.preparations[m].spread())
                if m not in noisy:
                    noisy[m] = Noisy(cfg, examples, prepared, m, device, seed)
            except (ValueError, UserError) as error:
                if strict:
                    raise ConfigError(f"noise {m}.{kind}: {error}") from error
                left_out.setdefault(m, {})[kind] = str(error).splitlines()[0]
                continue
            chosen.append(Curve(m, kind, levels, corruption))
    return noisy, chosen, left_out


def joint(parts: Sequence[Heights]) -> Heights:
    """(P, R, K) a curve, of the models one after another."""
    first = parts[0]
    return {
        t: {m: {k: np.concatenate([part[t][m][k] for part in parts]) for k in kinds} for m, kinds in by.items()}
        for t, by in first.items()
    }


def curves(heights: Heights, asked: Asked) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for t, by_modality in heights.items():
        found[t] = {}
        for m, by_kind in by_modality.items():
            found[t][m] = {}
            for kind, table in by_kind.items():
                corruption, levels = CORRUPTIONS[kind], asked[m][kind]
                shown = [level if math.isfinite(level) else None for level in levels]
                about = {"levels": shown, "unit": corruption.unit}
                found[t][m][kind] = about | curve.summary(table, corruption.axis(levels))
    return found


def robustness(ours: Mapping[str, Any], late: Mapping[str, Any], figures: Mapping[str, str]) -> dict[str, Any]:
    """Of each curve that both have, "relative" and "effective"; see metrics/curve.py."""
    return {
        t: {
            m: {
                kind: {
                    "relative": about["area"],
                    "effective": curve.effective(about["values"], late[t][m][kind]["values"], not less(figures[t])),
                }
                for kind, about in by_kind.items()
                if kind in late.get(t, {}).get(m, {})
            }
            for m, by_kind in by_modality.items()
        }
        for t, by_modality in ours.items()
    }


def late_fusion(run: Finished, listener: Listener) -> Path:
    """The folder of a late fusion with the run's own settings, data and seeds: trained now, or found."""
    cfg = yaml.safe_load((run.folder / "config.yaml").read_text(encoding="utf-8"))  # not as it was asked for just now
    tasks = replica(run.places[0]).tasks
    fingerprint = run.manifest["data"]["fingerprint"]
    return baselines.trained_one("late", baselines.late(cfg, tasks), run.folder.parent, fingerprint, tasks, listener)
