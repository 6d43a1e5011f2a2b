"""How much of what a finished run's model says hangs on each modality, by gradient times input, over its test rows."""

from collections.abc import Collection, Iterable
from typing import Any

import torch

from mmfuse.contribution.encodings import moved
from mmfuse.explanation.gradients import shares
from mmfuse.metrics.bootstrap import mean_std
from mmfuse.run.reopened import Reopened
from mmfuse.types import Batch

ROWS = 512  # that are asked about, at most


def slopes(one: Reopened, batches: Iterable[Batch], hears: Collection[str] | None) -> dict[str, Any]:
    """By task and modality the mean and the deviation over rows of its share, and what was differentiated by.

    Rows on which nothing counts, such as those without any modality, are left out.
    """
    device = next(one.model.parameters()).device
    found = [shares(one.model, moved(batch.signals, device), one.replica.tasks, hears) for batch in batches]
    table: dict[str, Any] = {}
    for t in found[0].each:
        each = torch.cat([part.each[t] for part in found]).cpu()  # (N, M)
        each = each[each.sum(dim=1) > 0]
        table[t] = {
            m: {**mean_std(each[:, k].tolist()), "of": found[0].of[m]}
            for k, m in enumerate(one.model.encoders)
            if len(each)
        }
    return table
