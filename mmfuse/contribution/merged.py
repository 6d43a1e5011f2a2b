"""What several trained models were found to be given by their modalities, as one table.

Each model was asked in as many draws as the others. Means are over models and draws, "std" is the sample deviation of
all of these values around that mean: seeds and draws together. Figures that are linear in v keep what they promise:
Shapley values still add up to v(all) - v(none), and what is unused still gets nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmfuse.contribution.game import imbalance

Table = Mapping[str, Any]


def merged(tables: Sequence[Table]) -> dict[str, Any]:
    """Of what `contributions` returned for each; EMAP is the first's, of which alone it is asked."""
    first = tables[0]
    if len(tables) == 1:
        return dict(first)
    found = {key: first[key] for key in ("absence", "draws", "modalities")}
    found["seeds"] = [table["seed"] for table in tables]
    found["rows"] = first["rows"]
    whole = "+".join(first["modalities"])
    each = {t: [table["tasks"][t] for table in tables] for t in first["tasks"]}
    return found | {"tasks": {t: task(several, first["draws"], whole) for t, several in each.items()}}


def task(each: Sequence[Table], draws: int, whole: str) -> dict[str, Any]:
    """`whole` is the name of all modalities together."""
    found: dict[str, Any] = {"figure": each[0]["figure"]}
    for key in ("values", "shapley", "leave_one_out", "interaction", "perceptual"):
        if key in each[0]:
            found[key] = {name: spread([one[key][name] for one in each], draws) for name in each[0][key]}
    if "shapley" in found:
        found["imbalance"] = imbalance({m: share["mean"] for m, share in found["shapley"].items()})
    if "perceptual" in found:
        figure = float(np.mean([one["patterns"][whole] for one in each]))
        for about in found["perceptual"].values():
            about["normalised"] = about["mean"] / figure if figure else float("nan")
    if "emap" in each[0]:
        found["emap"] = each[0]["emap"]
    found["patterns"] = {name: float(np.mean([one["patterns"][name] for one in each])) for name in each[0]["patterns"]}
    if "curves" in each[0]:
        curves = [one["curves"] for one in each]
        found["curves"] = {
            "rates": curves[0]["rates"],
            "each": {m: curve([c["each"][m] for c in curves]) for m in curves[0]["each"]},
            "all": curve([c["all"] for c in curves]),
        }
    return found


def spread(each: Sequence[Mapping[str, float]], draws: int) -> dict[str, float]:
    """Of each model's mean and sample deviation over its draws, those of all values.

    A value in which no chance had a hand has no deviation, and counts as one draw.

    >>> spread([{"mean": 2.0, "std": 2**0.5}, {"mean": 6.0, "std": 2**0.5}], 2)["mean"]  # of 1, 3 and 5, 7
    4.0
    """
    means, stds = np.array([one["mean"] for one in each]), np.array([one["std"] for one in each])
    number = np.where(np.isnan(stds), 1, draws)  # (S,)
    mean = float(means.mean())
    squares = float((np.nan_to_num(stds) ** 2 * (number - 1) + number * (means - mean) ** 2).sum())
    return {"mean": mean, "std": (squares / (number.sum() - 1)) ** 0.5}


def curve(each: Sequence[Table]) -> dict[str, Any]:
    """ "std" at each rate is over models, of their means over draws."""
    values = np.array([one["values"] for one in each])  # (S, R)
    mean = {key: float(np.mean([one[key] for one in each])) for key in ("area", "drop")}
    hidden = np.mean([one["hidden"] for one in each], axis=0).tolist()
    return {
        "values": values.mean(axis=0).tolist(),
        "std": values.std(axis=0, ddof=1).tolist(),
        **mean,
        "hidden": hidden,
    }
