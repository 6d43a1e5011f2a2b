"""What trained models say of rows of which one modality after another is spoiled, and the figures of that."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from mmfuse import masks
from mmfuse.contribution.encodings import moved
from mmfuse.corruption.corruption import Corruption
from mmfuse.learner.joined import joined
from mmfuse.run.noisy import Noisy
from mmfuse.types import Batch, Model, Signals, Task, Units

Heights = dict[str, dict[str, dict[str, np.ndarray]]]  # by task, modality, kind: (P, R, K) of P models, K draws


class Curve(NamedTuple):
    modality: str
    kind: str
    levels: Sequence[float]  # the first of which changes nothing
    corruption: Corruption


def asked_about(
    models: Sequence[Model],
    batches: Iterable[Batch],
    tasks: Mapping[str, Task],
    noisy: Mapping[str, Noisy],
    chosen: Sequence[Curve],
    hears: Collection[str] | None,
    draws: int,
    device: torch.device,
) -> list[Heights]:
    """Of each model. Values are opened once, and what chance does is the same for all."""
    said: list[dict[tuple[Any, ...], dict[str, list[Units]]]] = [{} for _ in models]

    def keep(key: tuple[Any, ...], number: int, encoded: Signals, batch: Batch) -> None:
        predictions = models[number].predict(encoded if hears is None else masks.keep(encoded, hears))
        held = said[number].setdefault(key, {t: [] for t in tasks})
        for t, task in tasks.items():
            units = task.units(predictions[t].float().cpu(), batch.targets[t])
            held[t].append(units)

    for batch in batches:
        signals, rows = moved(batch.signals, device), batch.rows.tolist()
        clean = [each.encode(signals) for each in models]
        for number, encoded in enumerate(clean):
            keep((), number, encoded, batch)
        for m, each in noisy.items():
            opened = each.opened(rows)
            for c, level, draw in steps([c for c in chosen if c.modality == m], draws):
                signal = each.signal(opened, rows, c.corruption, level, draw) or signals[m]
                for number, encoded in enumerate(clean):
                    spoiled = encoded | {m: models[number].encoders[m](signal)}
                    keep((m, c.kind, level, draw), number, spoiled, batch)
    return [heights(found, tasks, chosen, draws) for found in said]


def steps(chosen: Sequence[Curve], draws: int) -> Iterator[tuple[Curve, float, int]]:
    for c in chosen:
        for level in c.levels[1:]:
            for draw in range(draws if c.corruption.by_chance else 1):
                yield c, level, draw


def heights(
    said: Mapping[tuple[Any, ...], Mapping[str, Sequence[Units]]],
    tasks: Mapping[str, Task],
    chosen: Sequence[Curve],
    draws: int,
) -> Heights:
    """Of one model, (1, R, K) a curve, whose start is the very figure that evaluation has."""
    found: Heights = {t: {} for t in tasks}
    for t, task in tasks.items():
        start = exact(task, joined(said[()][t]))
        clean = quick(task, joined(said[()][t]))
        for m, kind, levels, corruption in chosen:
            table = np.full((1, len(levels), draws), start)
            for r, level in enumerate(levels[1:], start=1):
                for draw in range(draws):
                    key = (m, kind, level, draw if corruption.by_chance else 0)
                    table[0, r, draw] += quick(task, joined(said[key][t])) - clean
            found[t].setdefault(m, {})[kind] = table
    return found


def exact(task: Task, units: Units) -> float:
    return float(task.score(task.answer(units.prediction), units.target.numpy())[task.headline[0]])


def quick(task: Task, units: Units) -> float:
    """The same but for the last bit, in a tenth of scikit-learn's time."""
    target = units.target.numpy()
    return float(task.figure(task.headline[0], task.answer(units.prediction), target, np.ones((1, len(target))))[0])
