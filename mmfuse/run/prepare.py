"""From a resolved config to rows that are ready to be trained on."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch

from mmfuse.data import splits
from mmfuse.data.align import check_labels, require_aligned
from mmfuse.data.columns import Column, Padded, Stored, Streamed
from mmfuse.data.fill import fill, suits
from mmfuse.data.grown import grow
from mmfuse.data.pattern import Pattern
from mmfuse.data.reader import Reader, column
from mmfuse.data.splits import Split
from mmfuse.encoders.pretrained import Pretrained
from mmfuse.errors import ConfigError
from mmfuse.imbalance.none import Unchanged
from mmfuse.listener import Listener
from mmfuse.run.encoded import encoded, frozen
from mmfuse.run.hidden import asked, hidden
from mmfuse.run.make import Config, make
from mmfuse.run.streaming import refuse_for_streams
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.types import Dataset, Examples, Preparation, Stream, Task, Unreadable

Divided = Sequence[tuple[int | None, Split]]


class Frozen(NamedTuple):
    """An encoder that has been run once and is not part of the model."""

    dim: int
    parameters: int
    key: str = ""  # of what it said, in the cache
    precision: str = ""


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
    encoded: Mapping[str, Frozen] = MappingProxyType({})  # by modality: columns that hold what an encoder said
    pattern: Pattern | None = None  # what is hidden on purpose, of all rows

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


def prepare(
    cfg: Config,
    examples: Examples,
    split: Split,
    forgiving: bool = False,
    listener: Listener | None = None,
    ready: Callable[[Prepared], None] | None = None,
    learned: Mapping[str, Any] | None = None,
) -> Prepared:
    """Fits the preparations on the training rows, and turns all rows into tensors once.

    `learned` is what they learned in a run before, by modality, where they are not to be fitted again.

    Where there is a listener, frozen encoders are run as well, and it hears how that goes; `ready` is called before,
    with what is there until then, to look at settings that would fail later. To be `forgiving` is to take broken files
    for missing ones whatever the config says: an audit counts them.
    """
    given = asked(cfg, examples)
    preparations: dict[str, Preparation] = {}
    readers: dict[str, Reader] = {}
    waiting: dict[str, Pretrained] = {}
    found: dict[str, tuple[Column, np.ndarray]] = {}
    for modality in examples.raw:
        preparation: Preparation = make(cfg["encoder"][modality]["prepare"], f"encoder.{modality}.prepare")
        reader = Reader(modality, examples, forgiving=forgiving or cfg["dataset"]["missing"]["unreadable"] == "missing")
        if learned is None:
            reader.read(preparation.fit, split.train.tolist())
        else:
            preparation.restore(learned[modality])
        preparations[modality], readers[modality] = preparation, reader
        encoder = frozen(cfg, modality, preparation) if listener is not None and examples.stream is None else None
        if encoder is None:
            found[modality] = column(reader, preparation, cfg["loader"]["memory_gb"])
            accept(cfg, reader, found[modality][1], split)
        else:
            waiting[modality] = encoder
    check_fill(cfg, {m: kind for m, kind in kinds(cfg).items() if m not in waiting})
    done = {m: Frozen(e.dim, sum(p.numel() for p in e.parameters())) for m, e in waiting.items()}
    if waiting and ready is not None:
        unknown = {m: (pending(readers[m], preparations[m]), np.ones(len(examples), dtype=bool)) for m in waiting}
        ready(assembled(cfg, examples, split, preparations, readers, found | unknown, done))
    for modality, encoder in waiting.items():
        assert listener is not None
        reader = readers[modality]
        said = encoded(cfg, modality, reader, preparations[modality], encoder, listener)
        accept(cfg, reader, said.present, split)
        found[modality] = said.column, said.present
        done[modality] = done[modality]._replace(key=said.key, precision=said.precision)
    found, pattern = hidden(cfg, examples, split, found, given)
    prepared = assembled(cfg, examples, split, preparations, readers, found, done)
    about = cfg["dataset"]["missing"]
    if about["policy"] == "drop":
        kept = splits.kept(split, prepared.whole, examples, cfg["tasks"][0])
        prepared = assembled(cfg, examples, kept, preparations, readers, found, done)
    if about["policy"] == "fill" and about["fill"] != "token":
        prepared = prepared._replace(columns=fill_columns(cfg, prepared, prepared.split))
    return smoothed(cfg, rebalanced(cfg, examples, prepared._replace(pattern=pattern)))


def accept(cfg: Config, reader: Reader, present: np.ndarray, split: Split) -> None:
    """Refuses what could not be read, and a modality that hardly a row has."""
    reader.check()
    reader.check_share(present, cfg["dataset"]["missing"]["max_frac"])
    reader.check_some(present, split.train.tolist())


def pending(reader: Reader, preparation: Preparation) -> Column:
    """Rows that are not read yet."""
    return Streamed(partial(reader.stream, preparation))


def assembled(
    cfg: Config,
    examples: Examples,
    split: Split,
    preparations: Mapping[str, Preparation],
    readers: Mapping[str, Reader],
    found: Mapping[str, tuple[Column, np.ndarray]],
    done: Mapping[str, Frozen],
) -> Prepared:
    columns = {m: found[m][0] for m in examples.raw}
    if cfg["dataset"]["align"] == "require":
        require_aligned(columns, [m for m, kind in kinds(cfg).items() if kind == "sequence"])
    for name, task in examples.tasks.items():
        if task.of is not None and not (task.of in done and isinstance(columns[task.of], Streamed)):  # to be encoded
            check_labels(examples.targets[name], columns[task.of], name, task.of)
    tasks = {name: task.fitted(examples.targets[name][split.train]) for name, task in examples.tasks.items()}
    targets = {n: Padded(t) if t.dtype.kind == "O" else torch.from_numpy(t) for n, t in examples.targets.items()}
    unreadable = {m: {row: r.failures[row] for row in sorted(r.failures)} for m, r in readers.items()}
    return Prepared(
        split,
        columns,
        dict(preparations),
        tasks,
        targets,
        {m: found[m][1] for m in examples.raw},
        unreadable,
        split.train,
        examples.stream,
        done,
    )


def check_fill(cfg: Config, kinds: Mapping[str, str]) -> None:
    """Refuses what cannot be filled in this way; told before encoders run, which may take hours."""
    about = cfg["dataset"]["missing"]
    if about["policy"] != "fill" or about["fill"] == "token":
        return
    try:
        suits(about["fill"], kinds)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def fill_columns(cfg: Config, prepared: Prepared, split: Split) -> dict[str, Column]:
    held = {m: c.ragged for m, c in prepared.columns.items() if isinstance(c, Stored)}
    single = {m for m, ragged in held.items() if (ragged.lengths <= 1).all()}
    said = {m: "vector" if m in single else "sequence" for m in prepared.encoded}  # whatever kind they were
    check_fill(cfg, kinds(cfg) | said)
    if len(held) < len(prepared.columns):
        raise ConfigError("dataset.missing.policy=fill needs all rows in memory\n  to go on: a larger loader.memory_gb")
    zeros = {m: torch.zeros(()) if m in prepared.encoded else p.zero() for m, p in prepared.preparations.items()}
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


def smoothed(cfg: Config, prepared: Prepared) -> Prepared:
    """The tasks of one class of several with their labels smoothed."""
    share = cfg["label_smoothing"]
    if not share:
        return prepared
    tasks = {name: task for name, task in prepared.tasks.items() if type(task) is Multiclass}
    if not tasks:
        raise ConfigError(
            f"label_smoothing={share}: no task is of one class of several a row\n  to go on: label_smoothing=0"
        )
    if any(task.gamma for task in tasks.values()):
        raise ConfigError(
            f"label_smoothing={share}: the focal loss heeds one class's probability, and smoothing all of them"
            "\n  to go on: label_smoothing=0, or imbalance=weights"
        )
    new = {name: Multiclass(task.classes, task.weights, task.gamma, share) for name, task in tasks.items()}
    return prepared._replace(tasks=prepared.tasks | new)
