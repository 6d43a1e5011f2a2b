"""v(S): the figures of a model where only the modalities S are heard.

By permutation, the default: what is absent comes from another row of the same rows, all absent modalities from one and
the same, so that the model hears nothing that it has not learned to hear, and nothing that belongs to the row. The mean
over several permutations is taken; they are the same for every S, so that differences are paired, and a modality that
the model does not listen to gives exactly nothing.

By mask: what is absent is missing, as in a row that never had it. A model that was trained on whole rows, without
modality dropout, has not learned what to make of that.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from mmfuse.contribution.encodings import Encodings
from mmfuse.contribution.game import Value, subsets

ABSENCES = ("permutation", "mask")
Figures = Mapping[str, str]  # by task: which figure


def measured(
    encodings: Encodings, figures: Figures, absence: str, draws: int, seed: int
) -> dict[str, dict[frozenset[str], Value]]:
    """By task, the value of every subset; those that chance has a hand in draw by draw, (K,)."""
    wanted = subsets(encodings.modalities) if figures else []
    if absence == "mask":
        return by_task(figures, {heard: [masked(encodings, figures, heard)] for heard in wanted})
    return by_task(figures, {heard: permuted(encodings, figures, heard, draws, seed) for heard in wanted})


def perceived(encodings: Encodings, figures: Figures, draws: int, seed: int) -> dict[str, dict[frozenset[str], Value]]:
    """By permutation, the values that the perceptual score goes by: of all modalities, and of all but one."""
    whole = frozenset(encodings.modalities)
    wanted = [whole, *(whole - {m} for m in encodings.modalities)] if figures else []
    return by_task(figures, {heard: permuted(encodings, figures, heard, draws, seed) for heard in wanted})


def by_task(
    figures: Figures, drawn: Mapping[frozenset[str], Sequence[Mapping[str, float]]]
) -> dict[str, dict[frozenset[str], Value]]:
    each = {t: {heard: [table[t] for table in tables] for heard, tables in drawn.items()} for t in figures}
    return {t: {h: v[0] if len(v) == 1 else np.array(v) for h, v in values.items()} for t, values in each.items()}


def permuted(
    encodings: Encodings, figures: Figures, heard: frozenset[str], draws: int, seed: int
) -> list[dict[str, float]]:
    """Draw by draw; only once where nothing is absent."""
    absent = [m for m in encodings.modalities if m not in heard]
    if not absent:
        return [scored(encodings, figures)]
    drawn = orders(len(encodings.rows), draws, seed)
    return [scored(encodings, figures, places=dict.fromkeys(absent, order)) for order in drawn]


def orders(rows: int, draws: int, seed: int) -> list[Int[Tensor, " N"]]:
    """The same for the same seed, however many are drawn after them.

    >>> len(orders(4, 3, 0)), bool((orders(4, 3, 0)[1] == orders(4, 2, 0)[1]).all())
    (3, True)
    """
    return [torch.from_numpy(np.random.default_rng([seed, k]).permutation(rows)) for k in range(draws)]


def masked(encodings: Encodings, figures: Figures, heard: Collection[str]) -> dict[str, float]:
    hidden = torch.zeros(len(encodings.rows), dtype=torch.bool)
    return scored(encodings, figures, shown={m: hidden for m in encodings.modalities if m not in heard})


def scored(encodings: Encodings, figures: Figures, **changes: Mapping[str, Tensor]) -> dict[str, float]:
    """By task; hundreds of times, so not by scikit-learn, which takes ten times as long to the same figure."""
    answers = encodings.answers(**changes)
    found = {}
    for t, name in figures.items():
        answer, target = answers[t]
        once = np.ones((1, len(target)))
        found[t] = float(encodings.tasks[t].resampled(answer, target, once)[name][0])
    return found
