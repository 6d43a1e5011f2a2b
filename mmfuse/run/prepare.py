"""From a resolved config to rows that are ready to be trained on."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from mmfuse.data import splits
from mmfuse.data.align import check_labels, require_aligned
from mmfuse.data.columns import Column, Padded, Stored
from mmfuse.data.fill import fill, suits
from mmfuse.data.grown import grow
from mmfuse.data.reader import Reader, column
from mmfuse.data.splits import Split
from mmfuse.errors import ConfigError
from mmfuse.imbalance.none import Unchanged
from mmfuse.run.make import Config, make
from mmfuse.run.streaming import refuse_for_streams
from mmfuse.types import Dataset, Examples, Preparation, Stream, Task, Unreadable

Divided = Sequence[tuple[int | None, Split]]


class Prepared(NamedTuple):
    """The rows of one split, ready to be trained on."""

    split: Split
    columns: dict[str, Column]
    preparations: dict[str, Preparation]
    tasks: dict[str, Task]
    targets: dict[str, torch.Tensor | Padded]
    present: dict[str, np.ndarray]  # by modality: (N,) whether a row has it, before anything is filled
    unreadable: dict[str, dict[int, Unreadable]]  # by modality and row: values that are named, and could not be read
    seen: np.ndarray  # the training rows as an epoch sees them: some twice, or not at all, or made for training
    stream: Stream | None = None  # what an epoch sees instead of those

    @property
    def whole(self) -> np.ndarray:
        """(N,) the rows that lack nothing."""
        return np.all(list(self.present.values()), axis=0)

    @property
    def missing(self) -> dict[str, int]:
        """By modality: how many rows lack it."""
        return {m: int((~here).sum()) for m, here in self.present.items()}


def load(cfg: Config) -> Examples:
    about = {k: v for k, v in cfg["dataset"].items() if k not in ("split", "missing", "align")}
    dataset: Dataset = make(about, "dataset")
    examples = dataset.load(cfg["dataset"]["split"]["column"], cfg["dataset"]["split"]["group"])
    if examples.stream is not None:
        refuse_for_streams(cfg)
    return examples


def divide(cfg: Config, examples: Examples) -> Divided:
    """The splits to train on: one, or one a fold."""
    about, task = cfg["dataset"]["split"], cfg["tasks"][0]
    if cfg["folds"] is None:
        return [(None, splits.split(examples, task, about["ratios"], about["seed"]))]
    return list(enumerate(splits.folds(examples, task, cfg["folds"], about["seed"])))


def prepare(cfg: Config, examples: Examples, split: Split, forgiving: bool = False) -> Prepared:
    """Fits the preparations on the training rows, and turns all rows into tensors once.

    To be `forgiving` is to take broken files for missing ones whatever the config says: an audit counts them.
    """
    columns: dict[str, Column] = {}
    preparations: dict[str, Preparation] = {}
    present, unreadable = {}, {}
    about, train = cfg["dataset"]["missing"], split.train.tolist()
    for modality in examples.raw:
        preparation: Preparation = make(cfg["encoder"][modality]["prepare"], f"encoder.{modality}.prepare")
        reader = Reader(modality, examples, forgiving=forgiving or about["unreadable"] == "missing")
        reader.read(preparation.fit, train)
        columns[modality], present[modality] = column(reader, preparation, cfg["loader"]["memory_gb"])
        reader.check()
        reader.check_share(present[modality], about["max_frac"])
        reader.check_some(present[modality], train)
        preparations[modality] = preparation
        unreadable[modality] = {row: reader.failures[row] for row in sorted(reader.failures)}
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
    prepared = Prepared(split, columns, preparations, tasks, targets, present, unreadable, split.train, examples.stream)
    return rebalanced(cfg, examples, prepared)


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


def rebalanced(cfg: Config, examples: Examples, prepared: Prepared) -> Prepared:
    """What the imbalance changes: the training rows that an epoch sees, the first task's loss."""
    imbalance, first, train = make(cfg["imbalance"], "imbalance"), cfg["tasks"][0], prepared.split.train
    if isinstance(imbalance, Unchanged):
        return prepared
    try:
        task = imbalance.of_classes(first, prepared.tasks[first])
    except ValueError as error:
        raise ConfigError(f"{error}\n  to go on: imbalance=none") from error
    target = examples.targets[first][train]
    prepared = prepared._replace(
        seen=train[imbalance.rows(target)], tasks=prepared.tasks | {first: imbalance.task(task, target)}
    )
    if not imbalance.makes_rows:
        return prepared
    new_rows = partial(imbalance.new_rows, classes=task.classes)
    grown = grow(prepared.columns, prepared.targets, first, train, new_rows)
    seen = np.concatenate([prepared.seen, grown.rows])
    return prepared._replace(columns=grown.columns, targets=grown.targets, seen=seen)
