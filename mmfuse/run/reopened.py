"""A finished run's models, restored one after another with the rows that each was tested on."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from mmfuse.listener import Listener
from mmfuse.record import fingerprint
from mmfuse.run.answers_of import of_the_same_classes, refuse_other_classes
from mmfuse.run.finished import Finished
from mmfuse.run.make import Config
from mmfuse.run.prepare import Prepared, divide, load, prepare
from mmfuse.run.restored import Replica, model, replica
from mmfuse.types import Examples, Model


class Reopened(NamedTuple):
    """One seed of one fold."""

    replica: Replica
    prepared: Prepared
    model: Model
    rows: np.ndarray  # (R,) of its fold's test rows


def examples_of(run: Finished, listener: Listener) -> Examples:
    examples = load(of_the_same_classes(run))
    refuse_other_classes(examples, replica(run.places[0]).tasks)
    told = run.manifest["data"]["fingerprint"]
    if fingerprint.of_rows(examples.raw, examples.targets, examples.ids) != told:
        listener.advised("dataset", "the data are not what they were when the run was trained")
    return examples


def reopened(run: Finished, examples: Examples, listener: Listener) -> Iterator[Reopened]:
    """Rows are prepared once a fold: its seeds have learned the same from its training rows."""
    cfg, last = run.cfg, None
    divided = dict(divide(cfg, examples))
    for place in run.places:
        one = replica(place)
        if last is None or place.fold != last.fold:
            prepared = prepare(cfg, examples, divided[place.fold], listener=listener, learned=one.learned)
            last = place
        yield Reopened(one, prepared, model(cfg, prepared, one).to(device_of(cfg)), prepared.split.test)


def device_of(cfg: Config) -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() and cfg["trainer"]["accelerator"] != "cpu" else "cpu")
