"""v(S): the figures of a model where only the modalities S are heard.

By permutation, the default: rows are paired at random, and what is absent comes from the row's partner, so that the
model hears nothing that it has not learned to hear, and nothing that belongs to the row. The mean over several pairings
is taken. They are the same for every S, so that differences are paired, and a modality that the model does not listen
to gives exactly nothing. Whoever has S of its own has the rest of its partner's, who has it the other way round: the
model is asked once about both S and the rest.

By mask: what is absent is missing, as in a row that never had it. A model that was trained on whole rows, without
modality dropout, has not learned what to make of that.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Int
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
    first = encodings.modalities[0]
    return exchanged(encodings, figures, [heard for heard in wanted if first in heard], draws, seed)


def perceived(encodings: Encodings, figures: Figures, draws: int, seed: int) -> dict[str, dict[frozenset[str], Value]]:
    """By permutation, what the perceptual score goes by, the values of all modalities and of all but one; and more."""
    whole = frozenset(encodings.modalities)
    wanted = [whole, *(whole - {m} for m in encodings.modalities)] if figures else []
    return exchanged(encodings, figures, wanted, draws, seed)


def exchanged(
    encodings: Encodings, figures: Figures, wanted: Collection[frozenset[str]], draws: int, seed: int
) -> dict[str, dict[frozenset[str], Value]]:
    """The values of these subsets, and of what each of them leaves."""
    whole = frozenset(encodings.modalities)
    partners = pairings(len(encodings.rows), draws, seed)
    found: dict[frozenset[str], list[dict[str, float]]] = {}
    for heard in wanted:
        if heard == whole:
            own = encodings.answers()
            found[heard] = [scores(encodings, figures, own)]
            found[frozenset()] = [scores(encodings, figures, own, partner) for partner in partners]
            continue
        both = []
        for partner in partners:
            answers = encodings.answers(places=dict.fromkeys(whole - heard, partner))
            both.append((scores(encodings, figures, answers), scores(encodings, figures, answers, partner)))
        found[heard], found[whole - heard] = [list(each) for each in zip(*both, strict=True)]
    return by_task(figures, found)


def by_task(
    figures: Figures, drawn: Mapping[frozenset[str], Sequence[Mapping[str, float]]]
) -> dict[str, dict[frozenset[str], Value]]:
    each = {t: {heard: [table[t] for table in tables] for heard, tables in drawn.items()} for t in figures}
    return {t: {h: v[0] if len(v) == 1 else np.array(v) for h, v in values.items()} for t, values in each.items()}


def pairings(rows: int, draws: int, seed: int) -> list[Int[Tensor, " N"]]:
    """Each row's partner; of an odd number of rows one has itself. The same for a seed, however many follow.

    >>> [partner] = pairings(6, 1, 0)
    >>> bool((partner[partner] == torch.arange(6)).all()), bool((partner == torch.arange(6)).any())
    (True, False)
    """
    found = []
    for draw in range(draws):
        order = torch.from_numpy(np.random.default_rng([seed, draw]).permutation(rows))
        half, partner = rows // 2, torch.arange(rows)
        partner[order[:half]], partner[order[half : 2 * half]] = order[half : 2 * half], order[:half]
        found.append(partner)
    return found


def masked(encodings: Encodings, figures: Figures, heard: Collection[str]) -> dict[str, float]:
    hidden = torch.zeros(len(encodings.rows), dtype=torch.bool)
    return scored(encodings, figures, shown={m: hidden for m in encodings.modalities if m not in heard})


def scored(encodings: Encodings, figures: Figures, shown: Mapping[str, Bool[Tensor, " N"]]) -> dict[str, float]:
    """By task, where what is not shown is missing."""
    return scores(encodings, figures, encodings.answers(shown=shown))


def scores(
    encodings: Encodings,
    figures: Figures,
    answers: Mapping[str, tuple[np.ndarray, np.ndarray]],
    partner: Int[Tensor, " N"] | None = None,
) -> dict[str, float]:
    """By task, of the answers as they are or each given to the row's partner.

    Hundreds are asked for, so not by scikit-learn, which takes ten times as long to the same figure.
    """
    found = {}
    for t, name in figures.items():
        answer, target = answers[t]
        answer = answer if partner is None else answer[partner.numpy()]
        task, once = encodings.tasks[t], np.ones((1, len(target)))
        try:
            found[t] = float(task.figure(name, answer, target, once)[0])
        except KeyError as error:
            known = ", ".join(task.resampled(answer, target, once))
            raise ValueError(f"figures: task '{t}' has no '{name}'; it has {known}") from error
    return found
