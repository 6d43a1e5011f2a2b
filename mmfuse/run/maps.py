"""Test rows as points in the plane: what a finished run's model makes of each modality, and of them together.

Each of them has a map of its own, for encoders that were trained each by itself share no space, even where their
vectors are equally wide. Modalities that were made to share one (by an objective, or a task that compares their codes)
lie in one map, where a row's points can be compared. All maps are of the same rows, which have every modality.
"""

from typing import Any

import numpy as np

from mmfuse.explanation.space import Method, chosen, plane
from mmfuse.run.make import Config
from mmfuse.run.members import labels
from mmfuse.run.reopened import Reopened
from mmfuse.types import Examples

ROWS = 300  # of which maps are made


def maps(
    cfg: Config, one: Reopened, vectors: dict[str, np.ndarray], rows: np.ndarray, examples: Examples, method: Method
) -> dict[str, Any]:
    """`vectors` are (N, D) of these N rows, two or more, by "fused" and modality; nobody lacks any."""
    widths = {each.shape[1] for m, each in vectors.items() if m != "fused"}
    joint = shares_space(cfg, one) and len(widths) == 1 and len(vectors) > 2
    together = [m for m in vectors if m != "fused"] if joint else []
    points: dict[str, list[list[float]]] = {}
    for names in [[m] for m in vectors if m not in together] + ([together] if joint else []):
        where = plane(np.concatenate([vectors[m] for m in names]), method).round(3)
        points |= {m: part.tolist() for m, part in zip(names, np.split(where, len(names)), strict=True)}
    named = {t: labels(task, examples.targets[t][rows]) for t, task in one.replica.tasks.items()}
    return {
        "method": chosen(method, len(rows)),
        "of": one.replica.place.folder.name,
        "joint": joint,
        "points": points,
        "rows": [examples.ids[row] for row in rows],
        "class": {t: names for t, names in named.items() if names is not None},
    }


def shares_space(cfg: Config, one: Reopened) -> bool:
    """Whether training brought the modalities' vectors to each other."""
    return bool(cfg["objectives"]) or any(task.between for task in one.replica.tasks.values())
