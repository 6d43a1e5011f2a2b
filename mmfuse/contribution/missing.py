"""How a model fares where modalities are missing, by mask: in every pattern, and at rising rates.

Chance is paired. What is thrown for a value depends on the seed, the draw, the modality's name and the row's number in
the data set, and on nothing else: what is missing at one rate is missing at every higher one, and other models, also of
fewer modalities, miss the same.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from mmfuse.contribution.absence import Figures, masked, scored
from mmfuse.contribution.encodings import Encodings
from mmfuse.contribution.game import subsets
from mmfuse.metrics.curve import area


def patterns(encodings: Encodings, figures: Figures) -> dict[str, dict[frozenset[str], float]]:
    """By task: the figure of each of the 2^M - 1 sets of modalities that may be all there is."""
    found: dict[str, dict[frozenset[str], float]] = {t: {} for t in figures}
    for heard in subsets(encodings.modalities)[1:]:
        for t, figure in masked(encodings, figures, heard).items():
            found[t][heard] = figure
    return found


def curve(
    encodings: Encodings,
    figures: Figures,
    among: Collection[str],
    rates: Sequence[float],
    draws: int,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """By task: the figures' means over draws where the modalities `among` are missing at these rates.

    "area" is the mean height of the curve, by the trapezoid rule, and "drop" how far that is from its start. Where all
    modalities go missing a row keeps the last of its own, so that "hidden", the share of values that is, falls short of
    the rate.
    """
    heights: dict[str, list[list[float]]] = {t: [] for t in figures}
    hidden: list[float] = []
    thrown = [throws(encodings, among, seed, draw) for draw in range(draws)]
    for rate in rates:
        each, shares = [], []
        for dice in thrown if rate else thrown[:1]:  # where nothing goes missing, all draws are alike
            shown = {m: values >= rate for m, values in dice.items()}
            each.append(scored(encodings, figures, shown=shown))
            had = torch.stack([encodings.present[m] for m in among])  # (M, N)
            gone = had & ~torch.stack([shown[m] for m in among])
            shares.append(int(gone.sum()) / max(1, int(had.sum())))
        hidden.append(float(np.mean(shares)))
        for t in figures:
            heights[t].append([table[t] for table in each] * (draws // len(each)))
    return {t: about(np.array(values), rates) | {"hidden": hidden} for t, values in heights.items()}


def throws(encodings: Encodings, among: Collection[str], seed: int, draw: int) -> dict[str, Tensor]:
    """By modality (N,): the rate above which the value is missing; infinite where it never is."""
    numbers = encodings.rows.numpy()
    dice = {m: thrown(m, int(numbers.max()) + 1, seed, draw)[encodings.rows] for m in among}
    if len(among) < max(2, len(encodings.modalities)):
        return dice
    every = torch.stack([dice[m].where(encodings.present[m], -1.0) for m in among])  # (M, N)
    last: Bool[Tensor, "M N"] = torch.arange(len(every))[:, None] == every.argmax(dim=0)
    return {m: dice[m].masked_fill(last[k], torch.inf) for k, m in enumerate(among)}


def thrown(modality: str, rows: int, seed: int, draw: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng([seed, draw, *modality.encode()]).random(rows))


def about(heights: np.ndarray, rates: Sequence[float]) -> dict[str, Any]:
    """Of (R, K) figures, K draws at each rate.

    >>> table = about(np.array([[1.0], [0.5], [0.0]]), [0.0, 0.5, 1.0])
    >>> table["values"], table["area"], table["drop"]
    ([1.0, 0.5, 0.0], 0.5, 0.5)
    """
    first = heights[:, 0]  # (R,)
    means = first + (heights - first[:, None]).mean(axis=1)  # where all draws are alike, what they are to the last bit
    height = area(means, rates)
    spread = heights.std(axis=1, ddof=1).tolist() if heights.shape[1] > 1 else [float("nan")] * len(means)
    return {"values": means.tolist(), "std": spread, "area": height, "drop": float(means[0]) - height}
