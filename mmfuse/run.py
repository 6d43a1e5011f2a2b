"""From a resolved config to a result. The only module that builds parts from config."""

import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader

from mmfuse.data import splits
from mmfuse.data.align import check_labels, require_aligned
from mmfuse.data.batches import Batches
from mmfuse.data.columns import Column, Padded, Stored, Streamed
from mmfuse.data.fill import fill, suits
from mmfuse.data.order import Order
from mmfuse.data.reader import Reader, column
from mmfuse.data.splits import Split
from mmfuse.encoders.learned_token import LearnedToken
from mmfuse.errors import ConfigError, offer
from mmfuse.metrics.summary import Answers, summarise
from mmfuse.record import log, manifest, predictions
from mmfuse.record.atomic import write_json
from mmfuse.record.facts import classes, facts
from mmfuse.record.history import History
from mmfuse.record.status import Status
from mmfuse.tasks.figures import monitors
from mmfuse.types import (
    Batch,
    Dataset,
    Encoder,
    Examples,
    Listener,
    Model,
    Preparation,
    Task,
)

if TYPE_CHECKING:
    from mmfuse.learner.fit import Patience
    from mmfuse.learner.learner import Learner

Config = Mapping[str, Any]
Divided = Sequence[tuple[int | None, Split]]
UNFIT = (ValueError, TypeError, IndexError, ZeroDivisionError, RuntimeError)  # what parts say of values they can't have


class Prepared(NamedTuple):
    """The rows of one split, ready to be trained on."""

    split: Split
    columns: dict[str, Column]
    preparations: dict[str, Preparation]
    tasks: dict[str, Task]
    targets: dict[str, torch.Tensor | Padded]
    present: dict[str, np.ndarray]  # by modality: (N,) whether a row has it, before anything is filled
    unreadable: dict[str, dict[int, str]]  # by modality and row: why a value that is named could not be read

    @property
    def whole(self) -> np.ndarray:
        """(N,) the rows that lack nothing."""
        return np.all(list(self.present.values()), axis=0)

    @property
    def missing(self) -> dict[str, int]:
        """By modality: how many rows lack it."""
        return {m: int((~here).sum()) for m, here in self.present.items()}


def make(cfg: Config, where: str, **parts: Any) -> Any:
    """Calls what a config names, with the config's own arguments and with these parts.

    The parts don't go through `instantiate`, which takes a dict or a dataclass among them for more config.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    try:
        return instantiate(dict(cfg), _partial_=True, _convert_="object")(**parts)
    except (*UNFIT, InstantiationException) as error:
        raise ConfigError(f"{where}: {error}") from error


def load(cfg: Config) -> Examples:
    about = {k: v for k, v in cfg["dataset"].items() if k not in ("split", "missing", "align")}
    dataset: Dataset = make(about, "dataset")
    return dataset.load(cfg["dataset"]["split"]["column"], cfg["dataset"]["split"]["group"])


def divide(cfg: Config, examples: Examples) -> Divided:
    """The splits to train on: one, or one a fold."""
    about, task = cfg["dataset"]["split"], cfg["tasks"][0]
    if cfg["folds"] is None:
        return [(None, splits.split(examples, task, about["ratios"], about["seed"]))]
    return list(enumerate(splits.folds(examples, task, cfg["folds"], about["seed"])))


def prepare(cfg: Config, examples: Examples, split: Split) -> Prepared:
    """Fits the preparations on the training rows, and turns all rows into tensors once."""
    columns: dict[str, Column] = {}
    preparations: dict[str, Preparation] = {}
    present, unreadable = {}, {}
    about, train = cfg["dataset"]["missing"], split.train.tolist()
    for modality in examples.raw:
        preparation: Preparation = make(cfg["encoder"][modality]["prepare"], f"encoder.{modality}.prepare")
        reader = Reader(modality, examples, forgiving=about["unreadable"] == "missing")
        reader.read(preparation.fit, train)
        columns[modality], present[modality] = column(reader, preparation, cfg["loader"]["memory_gb"])
        reader.check()
        reader.check_share(present[modality], about["max_frac"])
        reader.check_some(present[modality], train)
        preparations[modality] = preparation
        unreadable[modality] = {row: reader.failures[row].reason for row in sorted(reader.failures)}
    if cfg["dataset"]["align"] == "require":
        require_aligned(columns, [m for m, kind in kinds(cfg).items() if kind == "sequence"])
    for name, task in examples.tasks.items():
        if task.of is not None:
            check_labels(examples.targets[name], columns[task.of], name, task.of)
    if about["policy"] == "drop":
        split = splits.kept(split, np.all(list(present.values()), axis=0), examples, cfg["tasks"][0])
    if about["policy"] == "fill" and about["fill"] != "token":
        columns = fill_columns(cfg, columns, preparations, split)
    tasks = {name: task.fitted(examples.targets[name][split.train]) for name, task in examples.tasks.items()}
    targets = {n: Padded(t) if t.dtype.kind == "O" else torch.from_numpy(t) for n, t in examples.targets.items()}
    return Prepared(split, columns, preparations, tasks, targets, present, unreadable)


def fill_columns(
    cfg: Config, columns: Mapping[str, Column], preparations: Mapping[str, Preparation], split: Split
) -> dict[str, Column]:
    try:
        suits(cfg["dataset"]["missing"]["fill"], kinds(cfg))
    except ValueError as error:
        raise ConfigError(str(error)) from error
    held = {m: c.ragged for m, c in columns.items() if isinstance(c, Stored)}
    if len(held) < len(columns):
        raise ConfigError("dataset.missing.policy=fill needs all rows in memory\n  to go on: a larger loader.memory_gb")
    zeros = {m: preparation.zero() for m, preparation in preparations.items()}
    filled = fill(held, zeros, split.train.tolist(), cfg["dataset"]["missing"]["fill"])
    return {m: Stored(ragged) for m, ragged in filled.items()}


def whole_rows(cfg: Config, divided: Divided, examples: Examples, prepared: Prepared) -> Divided:
    """The splits without the rows that lack a modality, where those are to be left out."""
    if cfg["dataset"]["missing"]["policy"] != "drop":
        return divided
    return [(fold, splits.kept(split, prepared.whole, examples, cfg["tasks"][0])) for fold, split in divided]


def kinds(cfg: Config) -> dict[str, str]:
    return {m: about["kind"] for m, about in cfg["dataset"]["modalities"].items()}


def build(cfg: Config, prepared: Prepared, seed: int) -> Model:
    torch.manual_seed(seed)
    encoders = {}
    missing = cfg["dataset"]["missing"]
    token = missing["policy"] == "fill" and missing["fill"] == "token"
    for modality, preparation in prepared.preparations.items():
        about = {k: v for k, v in cfg["encoder"][modality].items() if k not in ("name", "prepare")}
        encoder: Encoder = make(about, f"encoder.{modality}", size=preparation.size)
        encoders[modality] = LearnedToken(encoder) if token else encoder
    fusion = partial(make, cfg["fusion"], "fusion")
    return make(cfg["model"], "model", encoders=encoders, tasks=prepared.tasks, fusion=fusion)


def learner(cfg: Config, prepared: Prepared, seed: int) -> "Learner":
    from mmfuse.learner.learner import Learner  # Lightning takes seconds to import, and `check` does without it

    try:
        return Learner(
            model=build(cfg, prepared, seed),
            tasks=prepared.tasks,
            objectives={},
            balancer=make(cfg["balance"], "balance"),
            schedule=make(cfg["schedule"], "schedule"),
            optimizer=partial(make, cfg["optimizer"], "optimizer"),
            drop=cfg["drop"],
            seed=seed,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error


def rehearse(cfg: Config, examples: Examples, prepared: Prepared, first: "Learner", folder: Path) -> None:
    """Builds what training will need, so that settings that cannot be are told before anything is on disk."""
    from mmfuse.learner.fit import build as build_trainer

    with log.to_file(folder / "logs" / "rank0.log"):
        build_trainer(partial(make, cfg["trainer"], "trainer"), folder, patience(cfg, prepared.tasks), Listener())
    shutil.rmtree(folder / "logs")
    first.configure_optimizers()
    loader(cfg, prepared, prepared.split.train, 0)
    check_settings(cfg, examples, prepared)


def check_settings(cfg: Config, examples: Examples, prepared: Prepared) -> None:
    """What can be told without a trainer: the figure that is watched, the weights of losses."""
    known = monitors(prepared.tasks, examples.targets)
    wanted = monitor(cfg, prepared.tasks)
    if wanted not in known:
        short = [name for name in known if name.count("/") == 1]
        said = f"early_stopping.monitor={wanted}: there is no such figure"
        raise ConfigError(f"{said}\n  {offer(wanted, short, 'there are')}")
    try:
        make(cfg["balance"], "balance")({f"task/{name}": torch.zeros(()) for name in prepared.tasks})
    except ValueError as error:
        raise ConfigError(f"balance.{error}") from error


def monitor(cfg: Config, tasks: Mapping[str, Task]) -> str:
    named = cfg["early_stopping"]["monitor"]
    return f"val/{tasks[cfg['tasks'][0]].monitor}" if named == "auto" else named


def patience(cfg: Config, tasks: Mapping[str, Task]) -> "Patience":
    from mmfuse.learner.fit import Patience

    early = cfg["early_stopping"]
    watched = monitor(cfg, tasks)
    mode = "min" if any(word in watched for word in ("loss", "mae")) else "max"
    return Patience(watched, mode, early["patience"], early["min_delta"])


def loader(cfg: Config, prepared: Prepared, rows: np.ndarray, seed: int | None) -> DataLoader[Batch]:
    """Whole batches of these rows; shuffled anew each epoch where there is a seed."""
    streams = any(isinstance(c, Streamed) for c in prepared.columns.values())
    try:
        order = Order(rows.tolist(), cfg["batch_size"], seed)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return DataLoader(
        Batches(prepared.columns, prepared.targets),
        sampler=order,
        batch_size=None,
        num_workers=cfg["loader"]["workers"] if streams else 0,
    )


def check(cfg: Config, listener: Listener) -> None:
    """All that training does up to the first step, which is taken forward and back, and no more."""
    set_threads(cfg)
    examples = load(cfg)
    divided = divide(cfg, examples)
    prepared = prepare(cfg, examples, divided[0][1])
    divided = whole_rows(cfg, divided, examples, prepared)
    model = build(cfg, prepared, cfg["seeds"][0])
    check_settings(cfg, examples, prepared)
    listener.described(*describe(cfg, divided, prepared, len(examples), model))
    batch: Batch = next(iter(loader(cfg, prepared, prepared.split.train, cfg["seeds"][0])))
    outputs = model(batch.signals)
    losses = {n: task.loss(outputs.predictions[n], batch.targets[n]) for n, task in prepared.tasks.items()}
    total = make(cfg["balance"], "balance")({f"task/{name}": loss for name, loss in losses.items()})
    total.backward()
    make(cfg["optimizer"], "optimizer", params=list(model.parameters()))
    listener.checked({name: float(loss.detach()) for name, loss in losses.items()}, len(batch.rows))


def run(cfg: Config, folder: Path, listener: Listener) -> dict[str, Any]:
    """Every seed of every fold; leaves the whole record in the folder and returns what metrics.json says."""
    status = Status(folder)
    status.say("created")
    set_threads(cfg)
    examples = load(cfg)
    divided = divide(cfg, examples)
    prepared = prepare(cfg, examples, divided[0][1])
    divided = whole_rows(cfg, divided, examples, prepared)
    first = learner(cfg, prepared, cfg["seeds"][0])
    rehearse(cfg, examples, prepared, first, folder)
    listener.opened(folder.name)
    listener.described(*describe(cfg, divided, prepared, len(examples), first.model))
    parameters = sum(p.numel() for p in first.model.parameters())
    data = facts(examples, [split for _, split in divided], prepared.missing, prepared.unreadable)
    about = manifest.describe(cfg["choices"], data, cfg["seeds"], cfg["folds"])
    about |= {"parameters": parameters}
    write_json(folder / "manifest.json", about)
    status.say("running")
    said: dict[str, list[Answers]] = {"test": [], "val": []}
    for fold, split in divided:
        prepared = prepare(cfg, examples, split) if fold else prepared
        for seed in cfg["seeds"]:
            place = folder / (f"seed-{seed}" if fold is None else f"seed-{seed}-fold-{fold}")
            with log.to_file(place / "logs" / "rank0.log"):
                for name, answers in replicate(cfg, examples, prepared, seed, place, listener, status).items():
                    said[name].append(answers)
    tasks = examples.tasks
    metrics = {
        name: {t: summarise(task, t, runs, cfg["bootstrap"]) for t, task in tasks.items()}
        for name, runs in said.items()
    }
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "manifest.json", about | {"finished": manifest.now()})
    listener.scored(metrics, {name: task.headline for name, task in tasks.items()})
    status.say("done", exit_code=0)
    return metrics


def replicate(
    cfg: Config, examples: Examples, prepared: Prepared, seed: int, place: Path, listener: Listener, status: Status
) -> dict[str, Answers]:
    """Trains one model, and asks the best of its epochs about the validation and test rows."""
    from mmfuse.learner.fit import fit, predict

    place.mkdir(exist_ok=True)
    states = {m: p.state() for m, p in prepared.preparations.items()}
    write_json(place / "preparation.json", states | {"classes": classes(prepared.tasks)})
    history = History(place / "history.csv")
    trained = learner(cfg, prepared, seed)
    trainer = fit(
        trained,
        partial(make, cfg["trainer"], "trainer"),
        loader(cfg, prepared, prepared.split.train, seed),
        loader(cfg, prepared, prepared.split.val, None),
        place / "checkpoints",
        patience(cfg, prepared.tasks),
        Recording(listener, history, status),
    )
    found = {}
    for name in ("val", "test"):
        said = predict(trained, trainer, loader(cfg, prepared, getattr(prepared.split, name), None))
        found[name] = Answers(
            {t: units.place.numpy() for t, units in said.items()},
            {t: task.answer(said[t].prediction) for t, task in prepared.tasks.items()},
            {t: units.target.numpy() for t, units in said.items()},
        )
    test = found["test"]
    recorded = {
        t: (test.rows[t], task.recorded(test.answers[t], test.targets[t])) for t, task in prepared.tasks.items()
    }
    predictions.save(place / "predictions.parquet", prepared.split.test, examples.ids, recorded)
    return found


class Recording(Listener):
    """Writes down what it hears, and passes it on."""

    def __init__(self, listener: Listener, history: History, status: Status):
        self.listener, self.history, self.status = listener, history, status

    def replicate(self, name: str, epochs: int, steps: int) -> None:
        self.listener.replicate(name, epochs, steps)

    def step(self, done: int, rows: int, loss: float) -> None:
        self.status.beat()
        self.listener.step(done, rows, loss)

    def epoch(self, figures: Mapping[str, float | int]) -> None:
        self.history.add(dict(figures))
        self.listener.epoch(figures)


def describe(cfg: Config, divided: Divided, prepared: Prepared, rows: int, model: Model) -> tuple[str, str]:
    """The opening lines: what the data are, and what is trained on them."""
    shares, about = [], cfg["dataset"]["missing"]
    fate = {"mask": "masked", "drop": "left out", "fill": f"filled by {about['fill']}"}[about["policy"]]
    for m, missing in prepared.missing.items():
        broken = f", {len(prepared.unreadable[m])} of them not found or unreadable" if prepared.unreadable[m] else ""
        lacking = f" ({missing} missing{broken} -> {fate})" if missing else ""
        shares.append(f"{m} {100 * (1 - missing / rows):.0f} %{lacking}")
    split = divided[0][1]
    folded = f" in each of {len(divided)} folds" if len(divided) > 1 else ""
    data = f"{cfg['choices']['dataset']}   {rows} rows -> {splits.counts(split)}{folded}   {'  '.join(shares)}"
    encoders = " + ".join(f"{m}[{cfg['encoder'][m]['name']}]" for m in cfg["modalities"])
    parameters = sum(p.numel() for p in model.parameters())
    level = "" if cfg["choices"]["model"] == "feature" else f" ({cfg['choices']['model']})"
    size = f"{parameters / 1000:.0f} k" if parameters < 10_000_000 else f"{parameters / 1_000_000:.0f} M"
    return data, f"{encoders} -> {cfg['choices']['fusion']}{level} -> {', '.join(cfg['tasks'])}   {size} parameters"


def set_threads(cfg: Config) -> None:
    if cfg["threads"] is not None:
        torch.set_num_threads(cfg["threads"])
