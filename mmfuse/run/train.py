"""From a resolved config to a result: every seed of every fold, and the whole record."""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from mmfuse.atomic import write_json, write_text
from mmfuse.errors import DataError
from mmfuse.listener import Listener
from mmfuse.metrics.direction import less
from mmfuse.metrics.summary import Answers, summarise
from mmfuse.ranks import here
from mmfuse.record import log, manifest, model_card
from mmfuse.record.status import Status
from mmfuse.run import baselines
from mmfuse.run.besides import besides
from mmfuse.run.describe import describe
from mmfuse.run.make import Config
from mmfuse.run.opened import opened
from mmfuse.run.prepare import prepare
from mmfuse.run.replicate import Given, replicate, replicated
from mmfuse.run.settings import advise, rehearse, watched
from mmfuse.run.stacked import refuse_unless_divided
from mmfuse.run.tracking import Tracking, tracking
from mmfuse.run.transfer import Figures, refuse_unless_paired, summary
from mmfuse.run.verdict import verdict
from mmfuse.types import Examples


def run(
    cfg: Config, folder: Path, listener: Listener, force: bool = False, given: Given | None = None
) -> dict[str, Any]:
    """Every seed of every fold; leaves the whole record in the folder and returns what metrics.json says.

    A folder in which a run was stopped is gone on with, to the same end. `force`: even if the data have changed since.
    `given` is what has been done before, for many runs at once. Several ranks do so together: the first alone writes,
    and returns figures.
    """
    with tracking(cfg, folder) as tracks:
        return recorded(cfg, folder, listener, force, tracks, given)


def recorded(
    cfg: Config, folder: Path, listener: Listener, force: bool, tracks: Tracking, given: Given | None
) -> dict[str, Any]:
    status = Status(folder)
    status.say("created")
    set_threads(cfg)
    ready = given.opened if given else opened(cfg, folder, listener)
    examples, divided, prepared = ready.examples, ready.divided, ready.prepared
    first = given.learners[cfg["seeds"][0]] if given else rehearse(cfg, examples, prepared, folder)
    refuse_unless_divided(first.model, examples, prepared, cfg["tasks"][0])
    refuse_unless_paired(cfg, prepared)
    if given or not prepared.encoded:
        listener.opened(folder.name)
    listener.described(*describe(cfg, divided, prepared, len(examples), first.model))
    advise(cfg, first.objectives.items(), listener)
    findings = ready.findings if here().first else []
    listener.audited(findings, whole=False)
    parameters = sum(p.numel() for p in first.model.parameters())
    data = ready.facts
    about = manifest.describe(cfg["choices"], data, cfg["seeds"], cfg["folds"])
    once = {m: {"key": done.key, "precision": done.precision} for m, done in prepared.encoded.items()}
    about |= {"parameters": parameters, "encoded": once, "monitor": watched(cfg, examples.tasks, first.schedule)}
    about |= went_on(folder, data["fingerprint"], force, listener)
    if here().first:
        write_json(folder / "audit.json", [finding._asdict() for finding in findings])
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
            with log.to_file(place / "logs" / log.own()):
                done = replicated(place)
                if done is None:
                    with tracks.replicate(place.name, seed) if here().first else nullcontext() as track:
                        done = replicate(cfg, examples, prepared, seed, place, listener, status, track, given)
            for name, each in done.said.items():
                said[name].append(each)
            moved += [] if done.moved is None else [done.moved]
    if not here().first:
        if cfg["baselines"]:
            baselines.trained(cfg, data["fingerprint"], examples.tasks, listener)
        return {}
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


def went_on(folder: Path, fingerprint: str, force: bool, listener: Listener) -> dict[str, Any]:
    """What the manifest says of a run that was stopped before: when it began, and when it was gone on with."""
    try:
        before = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if before["data"]["fingerprint"] != fingerprint:
        if not force:
            raise DataError(
                f"{folder.name}: the data are not what they were when the run began"
                f" ({before['data']['rows']} rows then)\n  to go on: train anew; or --force, and figures are of both"
            )
        listener.advised("dataset", "the data are not what they were when the run began")
    return {"created": before["created"], "resumed": [*before.get("resumed", ()), manifest.now()]}


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
        compared_to = (said, folders, scores, cfg["modalities"], cfg["bootstrap"])
        found["verdict"] = verdict(tasks, *compared_to)
    if len(tasks) > 1:
        alone = {t: scores[f"task {t}"]["test"] for t in tasks}
        better = {t: (task.headline[0], not less(task.headline[0])) for t, task in tasks.items()}
        found["gain"] = baselines.gain(test, alone, better)
    return found


def set_threads(cfg: Config) -> None:
    if cfg["threads"] is not None:
        torch.set_num_threads(cfg["threads"])
