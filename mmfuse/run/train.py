"""From a resolved config to a result: every seed of every fold, and the whole record."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmfuse.atomic import write_json, write_text
from mmfuse.metrics.summary import Answers, summarise
from mmfuse.record import answers, log, manifest, model_card, predictions, tasks
from mmfuse.record.facts import classes, facts
from mmfuse.record.history import History
from mmfuse.record.status import Status
from mmfuse.run import baselines
from mmfuse.run.besides import besides
from mmfuse.run.build import learner
from mmfuse.run.describe import describe
from mmfuse.run.examine import examine
from mmfuse.run.loader import loader, training_loader
from mmfuse.run.make import Config, make
from mmfuse.run.prepare import Prepared, divide, load, prepare, whole_rows
from mmfuse.run.recording import Recording
from mmfuse.run.settings import advise, averaging, patience, rehearse
from mmfuse.run.stacked import out_of_fold, refuse_unless_divided, stacks, teach
from mmfuse.run.tracking import Track, Tracking, tracking
from mmfuse.run.transfer import Figures, refuse_unless_paired, summary, transferred
from mmfuse.run.verdict import verdict
from mmfuse.types import Examples, Listener


def run(cfg: Config, folder: Path, listener: Listener) -> dict[str, Any]:
    """Every seed of every fold; leaves the whole record in the folder and returns what metrics.json says."""
    with tracking(cfg, folder) as tracks:
        return recorded(cfg, folder, listener, tracks)


def recorded(cfg: Config, folder: Path, listener: Listener, tracks: Tracking) -> dict[str, Any]:
    status = Status(folder)
    status.say("created")
    set_threads(cfg)
    examples = load(cfg)
    divided = divide(cfg, examples)

    def ready(so_far: Prepared) -> None:
        """Long before training: frozen encoders may take hours."""
        rehearse(cfg, examples, so_far, folder)
        listener.opened(folder.name)

    prepared = prepare(cfg, examples, divided[0][1], listener=listener, ready=ready)
    divided = whole_rows(cfg, divided, examples, prepared)
    first = rehearse(cfg, examples, prepared, folder)
    refuse_unless_divided(first.model, examples, prepared, cfg["tasks"][0])
    refuse_unless_paired(cfg, prepared)
    if not prepared.encoded:
        listener.opened(folder.name)
    listener.described(*describe(cfg, divided, prepared, len(examples), first.model))
    advise(cfg, first.objectives.items(), listener)
    findings = examine(cfg, examples, divided, prepared, thorough=False)
    listener.audited(findings, whole=False)
    write_json(folder / "audit.json", [finding._asdict() for finding in findings])
    parameters = sum(p.numel() for p in first.model.parameters())
    data = facts(examples, [split for _, split in divided], prepared.missing, prepared.unreadable)
    if prepared.stream is not None:
        data["stream"] = prepared.stream.facts()
    about = manifest.describe(cfg["choices"], data, cfg["seeds"], cfg["folds"])
    once = {m: {"key": done.key, "precision": done.precision} for m, done in prepared.encoded.items()}
    about |= {"parameters": parameters, "encoded": once}
    write_json(folder / "manifest.json", about)
    if prepared.pattern is not None:
        prepared.pattern.save(folder / "missing.npz")
    status.say("running")
    moved: list[Figures] = []  # from one modality to another
    said: dict[str, list[Answers]] = {"test": [], "val": [], **{f"views/{view}": [] for view in first.schedule.views}}
    for fold, split in divided:
        prepared = prepare(cfg, examples, split, listener=listener) if fold else prepared
        for seed in cfg["seeds"]:
            place = folder / (f"seed-{seed}" if fold is None else f"seed-{seed}-fold-{fold}")
            with log.to_file(place / "logs" / "rank0.log"), tracks.replicate(place.name, seed) as track:
                trained = replicate(cfg, examples, prepared, seed, place, listener, status, moved, track)
                for name, each in trained.items():
                    said[name].append(each)
    tables = {
        name: {t: summarise(task, t, runs, cfg["bootstrap"]) for t, task in examples.tasks.items()}
        for name, runs in said.items()
    }
    metrics: dict[str, Any] = {name: tables.pop(name) for name in ("test", "val")}
    if tables:
        metrics["views"] = {name.removeprefix("views/"): table for name, table in tables.items()}
    metrics |= besides(examples.tasks, said["val"], said["test"], cfg["bootstrap"], listener)
    if cfg["baselines"]:
        metrics |= compared(cfg, metrics["test"], said["test"], data["fingerprint"], examples, listener)
    if moved:
        metrics["transfer"] = summary(moved)
    tracks.scored(metrics)
    write_json(folder / "metrics.json", metrics)
    about |= {"finished": manifest.now()}
    write_json(folder / "manifest.json", about)
    write_text(folder / "model_card.md", model_card.card(folder.name, cfg, about, metrics, findings, examples.tasks))
    listener.scored(metrics, {name: task.headline for name, task in examples.tasks.items()})
    status.say("done", exit_code=0)
    return metrics


def compared(
    cfg: Config,
    test: dict[str, Any],
    said: Sequence[Answers],
    fingerprint: str,
    examples: Examples,
    listener: Listener,
) -> dict[str, Any]:
    """What metrics.json says of the runs that this one is compared with."""
    tasks = examples.tasks
    folders = baselines.trained(cfg, fingerprint, tasks, listener)
    scores = {name: baselines.metrics_of(folder) for name, folder in folders.items()}
    found: dict[str, Any] = {"baselines": {n: {"run": folders[n].name, "test": s["test"]} for n, s in scores.items()}}
    if len(cfg["modalities"]) > 1:
        groups = None if examples.groups is None else np.unique(examples.groups, return_inverse=True)[1]
        compared_to = (said, folders, scores, cfg["modalities"], groups, cfg["bootstrap"])
        found["verdict"] = verdict(tasks, *compared_to)
    if len(tasks) > 1:
        alone = {t: scores[f"task {t}"]["test"] for t in tasks}
        better = {t: (task.headline[0], "mae" not in task.headline[0]) for t, task in tasks.items()}
        found["gain"] = baselines.gain(test, alone, better)
    return found


def replicate(
    cfg: Config,
    examples: Examples,
    prepared: Prepared,
    seed: int,
    place: Path,
    listener: Listener,
    status: Status,
    moved: list[Figures],
    track: Track,
) -> dict[str, Answers]:
    """Trains one model, and asks the best of its epochs about the validation and test rows.

    `moved` gets what strategy=cross_modal asks besides.
    """
    from mmfuse.learner.fit import fit, keep, predict

    place.mkdir(exist_ok=True)
    states = {m: p.state() for m, p in prepared.preparations.items()}
    write_json(place / "preparation.json", states | {"classes": classes(prepared.tasks)})
    write_json(place / "tasks.json", tasks.state(prepared.tasks))
    history = History(place / "history.csv")
    trained = learner(cfg, prepared, seed)
    schedule = trained.schedule
    stacked = stacks(trained.model)
    unseen = out_of_fold(cfg, examples, prepared, seed, place, listener, status) if stacked else {}
    trainer = fit(
        trained,
        partial(make, cfg["trainer"], "trainer"),
        training_loader(cfg, prepared, seed),
        loader(cfg, prepared, prepared.split.val, None),
        place / "checkpoints",
        patience(cfg, prepared.tasks, schedule),
        Recording(listener, history, status, track),
        averaging(cfg),
    )
    if stacked:
        teach(trained.model, examples, prepared, unseen)
        keep(trained, place / "checkpoints")
    heard = None if schedule.tested is None else schedule.views[schedule.tested]
    asked = {"val": (prepared.split.val, heard), "test": (prepared.split.test, heard)}
    asked |= {f"views/{view}": (prepared.split.test, modalities) for view, modalities in schedule.views.items()}
    if cfg["strategy"]["transfer"]:
        moved.append(transferred(cfg, prepared, trained, trainer, seed, place))
    found = {}
    for name, (rows, modalities) in asked.items():
        said = predict(trained, trainer, loader(cfg, prepared, rows, None), modalities)
        found[name] = Answers(
            {t: units.place.numpy() for t, units in said.items()},
            {t: task.answer(said[t].prediction) for t, task in prepared.tasks.items()},
            {t: units.target.numpy() for t, units in said.items()},
        )
    answers.save(place / "answers.npz", found)
    test = found["test"]
    for t, task in prepared.tasks.items():
        track.send({f"test/{t}/{name}": v for name, v in task.score(test.answers[t], test.targets[t]).items()}, 0)
    recorded = {
        t: (test.rows[t], task.recorded(test.answers[t], test.targets[t])) for t, task in prepared.tasks.items()
    }
    predictions.save(place / "predictions.parquet", prepared.split.test, examples.ids, recorded)
    return found


def set_threads(cfg: Config) -> None:
    if cfg["threads"] is not None:
        torch.set_num_threads(cfg["threads"])
