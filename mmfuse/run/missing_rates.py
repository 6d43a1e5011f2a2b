"""How a finished run does where more and more of its values are missing, by mask; and against a late fusion.

Chance is what mmfuse.contribution.missing throws, so that the curves are those of the run's contributions.
"""

import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.contribution.encodings import Encodings
from mmfuse.contribution.missing import curve
from mmfuse.errors import ConfigError
from mmfuse.listener import Listener
from mmfuse.metrics.curve import summary
from mmfuse.record import log
from mmfuse.run.answers_of import heard, own_rows
from mmfuse.run.finished import Finished
from mmfuse.run.loader import loader
from mmfuse.run.restored import model, replica
from mmfuse.run.robustness import by_fold, robustness
from mmfuse.run.train import set_threads

Asked = Mapping[str, Sequence[float]]  # by modality, or several of them as in "audio+text": rates, the first of them 0
DRAWS = 5  # as many as contributions take


def missing_curves(
    run: Finished,
    asked: Asked,
    listener: Listener,
    late: Finished | None = None,
    split: str = "test",
    modalities: Collection[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """The same table that noise has, of the one kind "missing". Where all go missing a row keeps the last it has."""
    named = {t: task.headline[0] for t, task in replica(run.places[0]).tasks.items() if not task.between}
    if not named:
        raise ConfigError("--missing: where one of two values is missing there is nothing to compare: --noise")
    found, rows = measured(run, asked, named, split, modalities, draws, seed, listener)
    table: dict[str, Any] = {"split": split, "rows": rows, "draws": draws, "seed": seed, "figure": named}
    table["tasks"] = found
    if late is not None:
        table["late"], _ = measured(late, asked, named, split, modalities, draws, seed, Listener())
        table["robustness"] = robustness(found, table["late"], named)
    return table


def measured(
    run: Finished,
    asked: Asked,
    figures: Mapping[str, str],
    split: str,
    modalities: Collection[str] | None,
    draws: int,
    seed: int,
    listener: Listener,
) -> tuple[dict[str, Any], int]:
    set_threads(run.cfg)
    _, ready = own_rows(run, split, listener)
    hears = heard(run.cfg, modalities)
    each: dict[str, list[dict[str, dict[str, Any]]]] = {what: [] for what in asked}  # of each model, by task
    number = 0
    with tempfile.TemporaryDirectory() as aside, log.to_file(Path(aside) / "warnings.log"):
        for places in by_fold(run.places):
            prepared, rows = ready(replica(places[0]))
            number += len(rows)
            for place in places:
                one = replica(place)
                tasks = {t: one.tasks[t] for t in figures}
                batches = loader(run.cfg, prepared, rows, None)
                encodings = Encodings(model(run.cfg, prepared, one), batches, tasks, hears)
                for what, rates in asked.items():
                    each[what].append(curve(encodings, figures, what.split("+"), rates, draws, seed))
    found: dict[str, Any] = {}
    for t in figures:
        of_task = {what: over_models([table[t] for table in tables], asked[what]) for what, tables in each.items()}
        found[t] = {what: {"missing": about} for what, about in of_task.items()}
    return found, number


def over_models(tables: Sequence[Mapping[str, Any]], rates: Sequence[float]) -> dict[str, Any]:
    """What contributions say of one model, or the mean of several and their sample deviation."""
    about = dict(tables[0])
    if len(tables) > 1:
        about |= summary(np.array([table["values"] for table in tables])[:, :, None], rates)
    return {"levels": list(rates), "unit": "share of rows"} | about
