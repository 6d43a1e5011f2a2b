"""What there is to know of a finished run beyond its figures, in analysis.json.

    {"made", "key", "split": "test", "rows", "seeds",
     "contributions"  what each modality gives, over all models; see mmfuse/contribution/contributions.py and merged.py
     "noise"          how figures fall where inputs are spoiled; see robustness.py
     "weights", "gradients", "attention", "space"  of the first model; see mmfuse/explanation
     "worst"          the rows that the run is furthest from right about, and what they look like
     "cost"           weights, multiply-adds, seconds, memory
     "left_out"       by key: why it is not there, and what to do}

It is made once: a second call reads it, unless checkpoints or settings have changed.
"""

import hashlib
import json
from collections.abc import Collection, Iterator
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from mmfuse import __version__
from mmfuse.atomic import write_json
from mmfuse.contribution.merged import merged
from mmfuse.errors import UserError
from mmfuse.explanation.space import Method
from mmfuse.listener import Listener
from mmfuse.record import answers, manifest
from mmfuse.run.answers_of import heard
from mmfuse.run.cost import training_seconds
from mmfuse.run.explained import explained
from mmfuse.run.finished import Finished
from mmfuse.run.given import given
from mmfuse.run.prepare import kinds
from mmfuse.run.reopened import Reopened, examples_of, reopened
from mmfuse.run.restored import replica
from mmfuse.run.robustness import noise_curves
from mmfuse.run.train import set_threads
from mmfuse.run.worst import Rows, chosen, looks, table
from mmfuse.types import Examples

NOISY_ROWS = 500  # of a fold, of which each is spoiled in some twenty ways
VERSION = 2  # of what is written: what was written by another is made anew
OF_MODELS = ("contributions", "noise", "weights", "gradients", "attention", "space")  # which records do not tell

Found = dict[str, Any]


def analyse(run: Finished, listener: Listener, without: Collection[str] = (), method: Method = "tsne") -> Found:
    """`without` names keys that are not wanted; `method` makes the maps of "space"."""
    file, key = run.folder / "analysis.json", key_of(run, without, method)
    if (known := read(run)).get("key") == key and "data" not in known["left_out"]:
        return known
    set_threads(run.cfg)
    left_out = dict.fromkeys(without, "it was not asked for")
    said = [answers.load(place.folder / "answers.npz")["test"] for place in run.places]
    tasks = replica(run.places[0]).tasks
    rows: Rows = {} if "worst" in without else chosen(tasks, said, left_out)
    found: Found = {
        "made": manifest.now(),
        "key": key,
        "split": "test",
        "rows": len(np.unique(np.concatenate([each for one in said for each in one.rows.values()]))),
        "seeds": list(dict.fromkeys(place.seed for place in run.places)),
    }
    try:
        examples = examples_of(run, listener)
        models = reopened(run, examples, listener)
        first = next(models)
    except UserError as error:
        why = f"its models cannot be asked again: {str(error).splitlines()[0]}; put the data back where they were"
        left_out = {"data": why, **dict.fromkeys(OF_MODELS, why), **left_out}
        about = {"parameters": run.manifest.get("parameters")}
        found |= {"worst": table(tasks, rows, ids(run)), "cost": about}
    else:
        found |= of_models(run, examples, first, models, rows, without, method, left_out, listener)
    if "cost" not in without:
        about = {"parameters": None, "trained": None, "macs_per_row": None, **found["cost"]}
        seconds = {"train": training_seconds(run.places), "per_row": about.pop("seconds_per_row", None)}
        found["cost"] = about | {"seconds": seconds, "peak_memory_mb": run.manifest.get("peak_memory_mb")}
        if found["cost"]["peak_memory_mb"] is None:
            left_out["cost.peak_memory_mb"] = "the run did not record it"
    write_json(file, {name: about for name, about in found.items() if name not in without} | {"left_out": left_out})
    return read(run)


def of_models(
    run: Finished,
    examples: Examples,
    first: Reopened,
    rest: Iterator[Reopened],
    rows: Rows,
    without: Collection[str],
    method: Method,
    left_out: dict[str, str],
    listener: Listener,
) -> Found:
    cfg, tasks, hears = run.cfg, first.replica.tasks, heard(run.cfg, None)
    worst = {t: [one.row for one in some] for t, some in rows.items()}
    found = explained(cfg, first, examples, hears, worst, without, method, left_out)
    found["worst"] = table(tasks, rows, examples.ids, looks(examples, first.prepared, kinds(cfg), rows))
    if "contributions" not in without:
        each = [given(cfg, one, k, len(run.places), hears) for k, one in enumerate(chain([first], rest))]
        found["contributions"] = merged(each)
        left_out |= {
            f"contributions.{t}": "where one of two modalities is missing there is nothing to compare"
            if task.between
            else "another row's steps have other labels: only patterns and curves are told"
            for t, task in tasks.items()
            if task.between or task.of is not None
        }
    if "noise" not in without:
        found["noise"] = noise_curves(run, listener, draws=1 if len(run.places) > 1 else 3, most=NOISY_ROWS)
    return found


def key_of(run: Finished, without: Collection[str], method: Method) -> str:
    """Of the checkpoints as they lie on disk, and of what decides what is made of them."""
    files = [place.folder / "checkpoints" / "best.ckpt" for place in run.places]
    found = [(str(f.relative_to(run.folder)), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    decides = [VERSION, __version__, found, run.cfg, sorted(without), method]
    return hashlib.sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()[:16]


def read(run: Finished) -> Found:
    """What is there; empty where nothing is, or nothing that can be read."""
    try:
        known: Found = json.loads((run.folder / "analysis.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known


def ids(run: Finished) -> dict[int, str]:
    """By row, as the run recorded them."""
    tables = [pd.read_parquet(place.folder / "predictions.parquet", columns=["row", "id"]) for place in run.places]
    whole = pd.concat(tables)
    return dict(zip(whole["row"].tolist(), whole["id"].tolist(), strict=True))
