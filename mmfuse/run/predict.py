"""Predictions of a finished run, averaged over its seeds, as a table."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mmfuse.atomic import write
from mmfuse.data.batches import Batches
from mmfuse.errors import ConfigError
from mmfuse.listener import Listener
from mmfuse.record import formats, predictions
from mmfuse.run import unlabelled
from mmfuse.run.answers_of import Said, of_new_rows, of_own_rows
from mmfuse.run.finished import OWN, Finished
from mmfuse.run.restored import replica
from mmfuse.run.train import set_threads
from mmfuse.types import Task


def predict(
    run: Finished,
    data: str,
    file: Path,
    modalities: Collection[str] | None,
    embeds: bool,
    media: str | None,
    listener: Listener,
) -> dict[str, Any]:
    """Writes a row for each of the table `data`, or of the run's own test, val or train rows; returns what it did."""
    tasks = replica(run.places[0]).tasks
    refuse_to_average(run, tasks, embeds)
    set_threads(run.cfg)
    if made := run.other_version:
        listener.advised("version", f"the run was made by mmfuse {made}; its predictions may have been others")
    lacking: list[str] = []
    if data in OWN and not Path(data).exists():
        examples, said = of_own_rows(run, data, modalities, embeds, listener)
        rows = [one.rows for one in said if one.replica.place.seed == said[0].replica.place.seed]
        if len(rows) > 1 and len(np.unique(np.concatenate(rows))) < sum(map(len, rows)):
            raise ConfigError(f"{data}: every row is in several of the folds\n  to go on: test, or val")
        whole = [averaged(fold) for fold in by_fold(said)]
        table = pd.concat([tabled(one, tasks, examples.ids) for one in whole], ignore_index=True)
    else:
        examples = unlabelled.read(run.cfg, Path(data), media)
        lacking = unlabelled.advise(examples, listener, Path(data))
        said = of_new_rows(run, examples, modalities, embeds, listener)
        table = tabled(averaged(said), tasks, examples.ids)
    formats.save(file, table)
    models = [one.replica.place.folder.name for one in said]
    return {"rows": len(table), "file": str(file), "models": models, "lacking": lacking}


def prepared(run: Finished, data: str, file: Path, media: str | None, listener: Listener) -> None:
    """Writes the rows as an exported model takes them: `<modality>` and `<modality>_mask` of each, and `id`.

    By what the first of the run's seeds has learned, as `mmfuse export` does.
    """
    examples = unlabelled.read(run.cfg, Path(data), media)
    about = unlabelled.prepared(run.cfg, examples, replica(run.places[0]), listener, encodes=False)
    signals = Batches(about.columns, {})[np.arange(len(examples))].signals
    arrays = {name: x.numpy() for m, s in signals.items() for name, x in ((m, s.data), (f"{m}_mask", s.mask))}

    def written(beside: Path) -> None:
        with open(beside, "wb") as opened:  # numpy would add a suffix to a path
            np.savez(opened, allow_pickle=False, id=np.array(list(examples.ids)), **arrays)

    write(file, written)


def refuse_to_average(run: Finished, tasks: Mapping[str, Task], embeds: bool) -> None:
    """Of several models: each has a space of its own, whose points cannot be averaged."""
    between = [name for name, task in tasks.items() if task.between]
    if len(run.places) > 1 and (embeds or between):
        what = "--embeddings" if embeds else f"task '{between[0]}'"
        folded = run.places[0].fold is not None
        raise ConfigError(
            f"{what}: codes of {len(run.places)} trained models cannot be averaged"
            f"\n  to go on: {'a run without folds' if folded else f'--seed {run.places[0].seed}'}"
        )


def by_fold(said: Sequence[Said]) -> list[list[Said]]:
    folds = list(dict.fromkeys(one.replica.place.fold for one in said))
    return [[one for one in said if one.replica.place.fold == fold] for fold in folds]


class Averaged(NamedTuple):
    """What several models say of the same rows, in the mean: probabilities, or values."""

    rows: np.ndarray  # (R,)
    nothing: np.ndarray  # (R,) whether a row has nothing to predict from
    places: dict[str, np.ndarray]  # by task: (U,) the row of each unit
    answers: dict[str, np.ndarray]  # by task: (U, K) or (U,)
    embeddings: dict[str, np.ndarray]  # by name: (R, D), of a single model


def averaged(said: Sequence[Said]) -> Averaged:
    first = said[0]
    places = {t: units.place.numpy() for t, units in first.told.units.items()}
    answers = {
        t: np.mean([one.replica.tasks[t].answer(one.told.units[t].prediction) for one in said], axis=0) for t in places
    }
    return Averaged(first.rows, first.nothing, places, answers, first.told.embeddings)


def tabled(said: Averaged, tasks: Mapping[str, Task], ids: Sequence[str]) -> pd.DataFrame:
    """Columns row, id, <task>/predicted, <task>/p(<class>); null in a row that has nothing to predict from."""
    found = {t: (said.places[t], predictions.unlabelled(tasks[t], answer)) for t, answer in said.answers.items()}
    table = predictions.table(said.rows, ids, found)
    for name, vectors in said.embeddings.items():
        unknown = np.isnan(vectors).any(axis=1)
        table[f"embedding({name})"] = [None if u else v for u, v in zip(unknown, vectors, strict=True)]
    if said.nothing.any():
        for name in table.columns[2:]:
            numbers = table[name].dtype.kind == "f"
            table[name] = table[name].mask(said.nothing, np.nan if numbers else None)
    return table
