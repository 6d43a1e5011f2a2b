"""What the models of a finished run say of rows: the run's own, or others."""

import copy
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmfuse.data.splits import Split, labelled
from mmfuse.errors import ConfigError, DataError
from mmfuse.learner.asked import Asked, Told, ask
from mmfuse.listener import Listener
from mmfuse.record import fingerprint, log
from mmfuse.run import unlabelled
from mmfuse.run.build import schedule_of
from mmfuse.run.devices import alone
from mmfuse.run.finished import Finished
from mmfuse.run.loader import loader
from mmfuse.run.make import Config, make
from mmfuse.run.prepare import Prepared, divide, load, prepare
from mmfuse.run.restored import Replica, model, replica
from mmfuse.types import Examples, Task

TABLE = "mmfuse.data.table.Table"


class Said(NamedTuple):
    """Of one seed of one fold."""

    replica: Replica
    rows: np.ndarray  # (R,) that were asked about
    nothing: np.ndarray  # (R,) whether a row has nothing to predict from
    told: Told


def of_own_rows(
    run: Finished, split: str, modalities: Collection[str] | None, embeds: bool, listener: Listener
) -> tuple[Examples, list[Said]]:
    """Of the rows that the run trained, validated or tested on, or of all that have a label."""
    examples, ready = own_rows(run, split, listener)
    return examples, list(each(run, ready, modalities, embeds))


Ready = Callable[[Replica], tuple[Prepared, np.ndarray]]  # by what a replica has learned; and which rows are asked for


def own_rows(run: Finished, split: str, listener: Listener) -> tuple[Examples, Ready]:
    """The data that the run was trained on, and what prepares them."""
    cfg = of_the_same_classes(run)
    examples = load(cfg)
    refuse_other_classes(examples, replica(run.places[0]).tasks)
    if split == "all":
        refuse_to_fill(cfg)
        rows = labelled(examples, cfg["tasks"][0])
        divided = dict.fromkeys((place.fold for place in run.places), Split(rows, rows, rows))
    else:
        divided = dict(divide(cfg, examples))
    told = run.manifest["data"]["fingerprint"]
    if fingerprint.of_rows(examples.raw, examples.targets, examples.ids) != told:
        listener.advised("dataset", "the data are not what they were when the run was trained")

    def ready(replica: Replica) -> tuple[Prepared, np.ndarray]:
        prepared = prepare(cfg, examples, divided[replica.place.fold], listener=listener, learned=replica.learned)
        return prepared, getattr(prepared.split, "test" if split == "all" else split)

    return examples, ready


def of_the_same_classes(run: Finished) -> Config:
    """The config with the classes that the run learned declared, for another table may have others, or fewer."""
    cfg = copy.deepcopy(dict(run.cfg))
    if cfg["dataset"]["_target_"] == TABLE:
        for name, task in replica(run.places[0]).tasks.items():
            if hasattr(task, "classes"):
                cfg["dataset"]["tasks"][name]["classes"] = list(task.classes)
    return cfg


def refuse_other_classes(examples: Examples, tasks: Mapping[str, Task]) -> None:
    for name, task in tasks.items():
        known, found = (getattr(each, "classes", None) for each in (task, examples.tasks[name]))
        if known != found:
            raise DataError(f"task '{name}': the run learned {known}, and these data have {found}")


def refuse_to_fill(cfg: Config) -> None:
    about = cfg["dataset"]["missing"]
    if about["policy"] == "fill" and about["fill"] != "token":
        raise ConfigError(
            f"--split all: what is missing is filled from the training rows (dataset.missing.fill={about['fill']})"
            "\n  to go on: --split test, or val"
        )


def of_new_rows(
    run: Finished, examples: Examples, modalities: Collection[str] | None, embeds: bool, listener: Listener
) -> list[Said]:
    def ready(replica: Replica) -> tuple[Prepared, np.ndarray]:
        prepared = unlabelled.prepared(run.cfg, examples, replica, listener)
        for m, failures in prepared.unreadable.items():
            if failures and replica.place.fold == run.places[0].fold:  # said once
                first = next(iter(failures.values()))
                said = f"{len(failures)} of its values cannot be read and count as missing, the first"
                listener.advised(m, f"{said} {first.value} (row {first.row}): {first.reason}")
        return prepared, prepared.split.test

    return list(each(run, ready, modalities, embeds))


def each(
    run: Finished,
    ready: Ready,
    modalities: Collection[str] | None,
    embeds: bool,
) -> Iterator[Said]:
    """Rows are prepared once a fold: its seeds have learned the same from its training rows."""
    cfg, last = run.cfg, None
    with tempfile.TemporaryDirectory() as aside, log.to_file(Path(aside) / "warnings.log"):
        for place in run.places:
            one = replica(place)
            if last is None or place.fold != last.fold:
                prepared, rows = ready(one)
                hears = heard(cfg, modalities)
                here = np.any([has for m, has in prepared.present.items() if hears is None or m in hears], axis=0)
                last = place
            asked = Asked(model(cfg, prepared, one), one.tasks, hears, embeds)
            told = ask(asked, partial(make, alone(cfg["trainer"]), "trainer"), loader(cfg, prepared, rows, None))
            yield Said(one, rows, ~here[rows], told)


def heard(cfg: Config, modalities: Collection[str] | None) -> Collection[str] | None:
    """Those that the run's schedule tests, and of these the ones that are asked for."""
    schedule = schedule_of(cfg)
    tested = None if schedule.tested is None else schedule.views[schedule.tested]
    if modalities is None:
        return tested
    return [m for m in tested or cfg["modalities"] if m in modalities]
