"""How much of each modality the fusion of a finished run's model hears: in the mean, by class, and row by row."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from mmfuse.contribution.encodings import moved
from mmfuse.explanation.weights import mean_by_modality, of_one, of_task, weights
from mmfuse.run.members import members
from mmfuse.run.reopened import Reopened
from mmfuse.types import Batch, Examples

ROWS = 200  # that are told one by one


def hearing(one: Reopened, batches: Iterable[Batch], examples: Examples, fusion: str) -> dict[str, Any] | None:
    """None where the fusion has no such weights. Rows without any modality count nowhere."""
    device = next(one.model.parameters()).device
    found, numbers = [], []
    for batch in batches:
        with torch.no_grad():
            found.append(weights(one.model, one.model.encode(moved(batch.signals, device))))
        numbers.append(batch.rows.numpy())
        if not found[0]:
            return None
    shares = {t: torch.cat([each[t] for each in found]).float().cpu() for t in found[0]}  # by task: (N, M)
    rows, names = np.concatenate(numbers), dict.fromkeys(one.model.encoders)
    whole = of_one(shares)
    by_class = {
        t: {c: mean_by_modality(of_task(shares, t)[where], names) for c, where in members(task, examples, t, rows)}
        for t, task in one.replica.tasks.items()
    }
    shown = spaced(len(rows), ROWS)
    each = {m: [round(share, 4) for share in whole[shown, k].tolist()] for k, m in enumerate(names)}
    return {
        "fusion": fusion,
        "of": one.replica.place.folder.name,
        "modalities": list(names),
        "mean": mean_by_modality(whole, names),
        "by_class": {t: {c: mean for c, mean in table.items() if mean} for t, table in by_class.items() if table},
        "rows": {"ids": [examples.ids[row] for row in rows[shown]], **each},
    }


def spaced(number: int, most: int) -> Sequence[int]:
    """All, or so many evenly spaced.

    >>> spaced(3, 5), spaced(10, 4)
    ([0, 1, 2], [0, 3, 6, 9])
    """
    return np.unique(np.linspace(0, number - 1, min(number, most)).astype(int)).tolist()
