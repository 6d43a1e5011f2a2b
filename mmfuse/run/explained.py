"""What the first of a finished run's models hears, goes by, attends to and makes of its test rows; and its cost."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from mmfuse.contribution.encodings import moved
from mmfuse.explanation.space import Method
from mmfuse.learner.asked import Asked
from mmfuse.run.attending import attending
from mmfuse.run.cost import cost
from mmfuse.run.given import FEWEST_ROWS, batches, some
from mmfuse.run.hearing import hearing
from mmfuse.run.make import Config
from mmfuse.run.maps import ROWS as MAPPED
from mmfuse.run.maps import maps
from mmfuse.run.reopened import Reopened
from mmfuse.run.slopes import ROWS as DIFFERENTIATED
from mmfuse.run.slopes import slopes
from mmfuse.types import Batch, Examples

FEW = 16  # rows whose multiply-adds are counted
LOOKED_AT = 12  # rows a task whose attention is told, besides the worst


def explained(
    cfg: Config,
    one: Reopened,
    examples: Examples,
    hears: Collection[str] | None,
    worst: Mapping[str, Sequence[int]],
    without: Collection[str],
    method: Method,
    left_out: dict[str, str],
) -> dict[str, Any]:
    """`worst` are rows by task; `left_out` gets what cannot be done, by key."""
    rows = some(one.rows, FEWEST_ROWS)
    tasks = one.replica.tasks
    found: dict[str, Any] = {}
    if "weights" not in without:
        found["weights"] = hearing(one, batches(cfg, one, rows, hears), examples, cfg["choices"]["fusion"])
        if found["weights"] is None:
            left_out["weights"] = (
                f"fusion={cfg['choices']['fusion']} gives its modalities no weights; gated, attention, weighted, moe do"
            )
    if "gradients" not in without:
        found["gradients"] = slopes(one, batches(cfg, one, some(one.rows, DIFFERENTIATED), hears), hears)
        for t, task in tasks.items():
            if task.of is not None or task.between:
                left_out[f"gradients.{t}"] = "it has no one output a row that could be differentiated"
    if "attention" not in without:
        dice = np.random.default_rng(0)
        beside = dice.permutation(one.rows)[:LOOKED_AT].tolist()
        own = set(one.rows.tolist())
        chosen = {t: list(dict.fromkeys([*(r for r in worst.get(t, ()) if r in own), *beside])) for t in tasks}
        found["attention"] = attending(cfg, one, examples, chosen)
        if not found["attention"]:
            left_out["attention"] = (
                "nothing in this model attends to steps, or where it does is not told (pretrained networks);"
                " fusion=attention_steps, cross_attention, mult and perceiver tell, and encoder.<text>=transformer"
            )
    if "space" not in without or "cost" not in without:
        passed = through(one, batches(cfg, one, rows, hears), hears)
        if "space" not in without:
            whole = ~np.any([np.isnan(each).any(axis=1) for each in passed.vectors.values()], axis=0)  # (N,)
            places = some(np.flatnonzero(whole), MAPPED)
            vectors = {name: each[places] for name, each in passed.vectors.items()}
            if len(places) > 1:
                found["space"] = maps(cfg, one, vectors, rows[places], examples, method)
            else:
                left_out["space"] = "a map is of rows that have every modality, and hardly a test row has"
        if "cost" not in without:
            first = next(iter(batches(cfg, one, rows[:FEW], hears)))
            found["cost"] = cost(one, first) | {"seconds_per_row": passed.seconds / len(rows)}
            if one.prepared.encoded:
                left_out["cost.macs_per_row"] = (
                    f"it is without the frozen encoders of {', '.join(one.prepared.encoded)}, which ran once; "
                    "encoder.<modality>.freeze=false counts them"
                )
    return {key: about for key, about in found.items() if about}


class Passed(NamedTuple):
    seconds: float
    vectors: dict[str, np.ndarray]  # (N, D) by modality, and "fused", NaN where a row lacks it


def through(one: Reopened, fetched: Iterable[Batch], hears: Collection[str] | None) -> Passed:
    device = next(one.model.parameters()).device
    asked = Asked(one.model, one.replica.tasks, hears, embeds=True)
    parts: list[dict[str, torch.Tensor]] = []
    seconds = 0.0
    with torch.no_grad():
        for batch in fetched:
            began = time.perf_counter()
            signals, targets = moved(batch.signals, device), {t: y.to(device) for t, y in batch.targets.items()}
            parts.append(asked.predict_step(batch._replace(signals=signals, targets=targets), 0)[1])
            seconds += time.perf_counter() - began
    named: dict[str, str] = {}
    for name in parts[0]:  # tasks share what is fused, where it is not theirs
        named.setdefault("fused" if name.startswith("fused for ") else name, name)
    order = sorted(named, key=lambda name: name != "fused")
    vectors = {n: torch.cat([part[named[n]] for part in parts]).numpy() for n in order}
    return Passed(seconds, {n: each for n, each in vectors.items() if not np.isnan(each).all()})  # it hears some only
