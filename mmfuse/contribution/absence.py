"""v(S): the figures of a model where only the modalities S are heard.

By permutation, the default: what is absent comes from another row of the same rows, all absent modalities from one and
the same, so that the model hears nothing that it has not learned to hear, and nothing that belongs to the row. The mean
over several permutations is taken; they are the same for every S, so that differences are paired, and a modality that
the model does not listen to gives exactly nothing.

By mask: what is absent is missing, as in a row that never had it. A model that was trained on whole rows, without
modality dropout, has not learned what to make of that.
"""

from collections.abc import Collection, Mapping

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
    found: dict[str, dict[frozenset[str], Value]] = {t: {} for t in figures}
    for heard in subsets(encodings.modalities):
        if absence == "mask":
            drawn = [masked(encodings, figures, heard)]
        elif len(heard) == len(encodings.modalities):
            drawn = [scored(encodings, figures)]
        else:
            absent = [m for m in encodings.modalities if m not in heard]
            drawn = [permuted(encodings, figures, absent, order) for order in orders(len(encodings.rows), draws, seed)]
        for t, by_subset in found.items():
            each = [table[t] for table in drawn]
            by_subset[heard] = each[0] if len(each) == 1 else np.array(each)
    return found


def perceived(encodings: Encodings, figures: Figures, draws: int, seed: int) -> dict[str, dict[str, Value]]:
    """By task and modality, the figure where it alone is permuted, draw by draw: what the perceptual score goes by."""
    found: dict[str, dict[str, Value]] = {t: {} for t in figures}
    for m in encodings.modalities:
        drawn = [permuted(encodings, figures, [m], order) for order in orders(len(encodings.rows), draws, seed)]
        for t in found:
            found[t][m] = np.array([table[t] for table in drawn])
    return found


def orders(rows: int, draws: int, seed: int) -> list[Int[Tensor, " N"]]:
    """The same for the same seed, however many are drawn after them.

    >>> len(orders(4, 3, 0)), bool((orders(4, 3, 0)[1] == orders(4, 2, 0)[1]).all())
    (3, True)
    """
    return [torch.from_numpy(np.random.default_rng([seed, k]).permutation(rows)) for k in range(draws)]


def permuted(
    encodings: Encodings, figures: Figures, absent: Collection[str], order: Int[Tensor, " N"]
) -> dict[str, float]:
    return scored(encodings, figures, places=dict.fromkeys(absent, order))


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
