"""What each modality gives to a trained model, and how the model does without it: one table, ready for JSON.

    from mmfuse.contribution.contributions import contributions

    batches = loader(cfg, prepared, prepared.split.test, None)  # mmfuse.run.loader; large batches are quicker
    found = contributions(trained.model, batches, prepared.tasks)
    found["tasks"]["digit"]["shapley"]["image"]["mean"]

Encoders run once; all else is asked of what they said, without a gradient. Of each task, in terms of one figure of it:

values: v(S) of each subset of modalities, "audio+image" by name and "" for none; see absence.py.
shapley, imbalance, leave_one_out, interaction: read off those values; see game.py.
perceptual: what is lost where one modality is permuted, also as a share of the figure ("normalised").
emap: the model and its closest additive function on a sample of the rows, and whether they differ; see emap.py.
patterns: the figure of each set of modalities that may be all there is, by mask.
curves: the figure at rising rates of missing values, by mask: of each modality alone ("each") and of all ("all").

"mean" and "std" are over draws: how far one pairing of rows is from another, not how sure the test rows are.

A task that labels steps has values only by mask, and no additive function: the steps of another row have other labels.
One that compares codes has none of this: where one of two is missing there is nothing to compare.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from mmfuse.contribution import missing
from mmfuse.contribution.absence import ABSENCES, Figures, measured, perceived
from mmfuse.contribution.emap import Additive, emap
from mmfuse.contribution.encodings import Encodings
from mmfuse.contribution.game import Value, Values, imbalance, interactions, leave_one_out, shapley
from mmfuse.metrics.bootstrap import mean_std
from mmfuse.metrics.paired import Scored, differ
from mmfuse.types import Batch, Model, Task

RATES = tuple(k / 10 for k in range(10))


def contributions(
    model: Model,
    batches: Iterable[Batch],
    tasks: Mapping[str, Task],
    figures: Figures | None = None,
    absence: str = "permutation",
    draws: int = 20,
    emap_rows: int = 500,
    rates: Sequence[float] = RATES,
    curve_draws: int = 5,
    samples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """`figures` names one a task; without it, the first of its headline. `emap_rows` 0 and no `rates` leave that out.

    `draws` is how many pairings of rows a value is the mean of, `samples` how many resamples EMAP's interval is from.
    """
    check(absence, draws, rates, curve_draws)
    rows = {t: task for t, task in tasks.items() if task.of is None and not task.between}
    masked = {t: task for t, task in tasks.items() if not task.between}
    named = {t: (figures or {}).get(t, task.headline[0]) for t, task in masked.items()}
    of_rows = {t: named[t] for t in rows}
    with evaluated(model):
        encodings = Encodings(model, batches, masked)
        modalities = encodings.modalities
        table: dict[str, dict[str, Any]] = {t: {"figure": name} for t, name in named.items()}
        asked = of_rows if absence == "permutation" else named
        values = measured(encodings, asked, absence, draws, seed)
        for t in asked:
            table[t] |= given(values[t], modalities)
        alone = values if absence == "permutation" else perceived(encodings, of_rows, draws, seed)
        for t in of_rows:
            table[t]["perceptual"] = perceptual(alone[t], modalities)
        if emap_rows:
            for t, about in additive(encodings, of_rows, emap_rows, samples, seed).items():
                table[t]["emap"] = about
        for t, by_pattern in missing.patterns(encodings, named).items():
            table[t]["patterns"] = {label(heard, modalities): figure for heard, figure in by_pattern.items()}
        if rates:
            among = {m: [m] for m in modalities} | {"": modalities}
            curves = {n: missing.curve(encodings, named, a, rates, curve_draws, seed) for n, a in among.items()}
            for t in named:
                each = {m: curves[m][t] for m in modalities}
                table[t]["curves"] = {"rates": list(rates), "each": each, "all": curves[""][t]}
    settings = {"absence": absence, "draws": draws if absence == "permutation" else 1, "seed": seed}
    return settings | {"rows": len(encodings.rows), "modalities": modalities, "tasks": table}


def check(absence: str, draws: int, rates: Sequence[float], curve_draws: int) -> None:
    if absence not in ABSENCES:
        raise ValueError(f"absence={absence}: there are {', '.join(ABSENCES)}")
    if draws < 1 or curve_draws < 1:
        raise ValueError(f"draws={draws}, curve_draws={curve_draws}: at least 1 of each is needed")
    rising = all(low < high for low, high in pairwise(rates))
    if rates and not (len(rates) > 1 and rates[0] == 0 and rates[-1] <= 1 and rising):
        raise ValueError(f"rates={list(rates)}: two or more are needed, rising from 0 to at most 1")


@contextmanager
def evaluated(model: Model) -> Iterator[None]:
    """Within, nothing is dropped at random; afterwards every part is in the mode that it was in."""
    training = [part for part in model.modules() if part.training]
    model.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def label(heard: Collection[str], modalities: Sequence[str]) -> str:
    """
    >>> label({"text", "image"}, ["image", "audio", "text"])
    'image+text'
    """
    return "+".join(m for m in modalities if m in heard)


def spread(value: Value) -> dict[str, float]:
    return dict(mean_std(np.atleast_1d(value).tolist()))


def given(values: Values, modalities: Sequence[str]) -> dict[str, Any]:
    """All that is read off one task's values."""
    shares = {m: spread(share) for m, share in shapley(values, modalities).items()}
    return {
        "values": {label(heard, modalities): spread(value) for heard, value in values.items()},
        "shapley": shares,
        "imbalance": imbalance({m: share["mean"] for m, share in shares.items()}),
        "leave_one_out": {m: spread(lost) for m, lost in leave_one_out(values, modalities).items()},
        "interaction": {label(pair, modalities): spread(i) for pair, i in interactions(values, modalities).items()},
    }


def perceptual(values: Values, modalities: Sequence[str]) -> dict[str, dict[str, float]]:
    """Of values whose absent modalities are permuted."""
    whole = spread(values[frozenset(modalities)])["mean"]
    lost = {m: spread(value) for m, value in leave_one_out(values, modalities).items()}
    return {m: {**each, "normalised": each["mean"] / whole if whole else float("nan")} for m, each in lost.items()}


def additive(encodings: Encodings, figures: Figures, rows: int, samples: int, seed: int) -> dict[str, dict[str, Any]]:
    """The model's figure, that of its additive projection, and their difference, on some of the rows."""
    if not figures:
        return {}
    chosen = np.random.default_rng(seed).permutation(len(encodings.rows))[:rows]
    places = torch.from_numpy(np.sort(chosen))  # (R,)
    own = encodings.predict(encodings.at(dict.fromkeys(encodings.modalities, places)))
    closest: dict[str, Additive] = emap(
        lambda asked: encodings.predict(encodings.at({m: places[n] for m, n in asked.items()})),
        encodings.modalities,
        len(places),
        seed,
    )
    found = {}
    here = dict.fromkeys(encodings.modalities, torch.arange(len(places)))
    for t, figure in figures.items():
        task = encodings.tasks[t]
        target = torch.cat([targets[t] for targets in encodings.targets])[places].numpy()
        said = {"model": own[t], "emap": closest[t].at(here)}
        both = [Scored(places.numpy(), task.answer(logits), target) for logits in said.values()]
        about = differ(task, figure, both[:1], both[1:], samples)
        scores = {n: float(task.score(one.answer, target)[figure]) for n, one in zip(said, both, strict=True)}
        interval = {"difference": about.difference, "ci95": [about.low, about.high], "p": about.p}
        found[t] = {"rows": len(places), **scores, **interval, "detectable": about.detectable}
    return found
