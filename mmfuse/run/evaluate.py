"""A finished run is scored again: on another split or file, from some of its modalities."""

from collections.abc import Collection
from typing import Any

from mmfuse.listener import Listener
from mmfuse.metrics.summary import summarise
from mmfuse.run.answers_of import of_own_rows
from mmfuse.run.finished import Finished
from mmfuse.run.judged import judged
from mmfuse.run.restored import replica
from mmfuse.run.train import set_threads


def evaluate(run: Finished, split: str, modalities: Collection[str] | None, listener: Listener) -> dict[str, Any]:
    """By task, the table that metrics.json has of the test rows."""
    set_threads(run.cfg)
    if made := run.other_version:
        listener.advised("version", f"the run was made by mmfuse {made}; its answers may have been others")
    examples, said = of_own_rows(run, split, modalities, False, listener)
    tasks = replica(run.places[0]).tasks
    runs = [judged(one.replica.tasks, one.told.units, examples.groups) for one in said]
    scores = {name: summarise(task, name, runs, run.cfg["bootstrap"]) for name, task in tasks.items()}
    listener.evaluated(split, modalities, scores, {name: task.headline for name, task in tasks.items()})
    return scores
