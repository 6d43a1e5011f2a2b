"""What a run costs: weights, multiply-adds of a row, seconds, memory. What is not known is null, and never guessed."""

import csv
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from mmfuse.contribution.encodings import moved
from mmfuse.run.finished import Place
from mmfuse.run.reopened import Reopened
from mmfuse.types import Batch


def cost(one: Reopened, batch: Batch) -> dict[str, Any]:
    """Of one model; frozen encoders that ran once and are no part of it are counted, but not their multiply-adds."""
    own = list(one.model.parameters())
    besides = sum(done.parameters for done in one.prepared.encoded.values())
    return {
        "parameters": sum(p.numel() for p in own) + besides,
        "trained": sum(p.numel() for p in own if p.requires_grad),
        "macs_per_row": multiply_adds(one, batch) / len(batch.rows),
    }


def multiply_adds(one: Reopened, batch: Batch) -> float:
    """Forward, by torch's own count of matrix products and convolutions, two operations each.

    What computes several of them at once is taken apart, or it would not be counted.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            torch.no_grad(),
            warnings.catch_warnings(action="ignore"),  # of numbers that GPUs of Intel's would compute with
            torch.backends.mkldnn.flags(enabled=False),
            torch.backends.cudnn.flags(enabled=False),
            FlopCounterMode(display=False) as counter,
        ):
            one.model(moved(batch.signals, next(one.model.parameters()).device))
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return counter.get_total_flops() / 2


def training_seconds(places: Sequence[Place]) -> list[float | None]:
    """Of each seed of each fold, all its epochs; None where its history does not say."""
    found: list[float | None] = []
    for place in places:
        try:
            with open(place.folder / "history.csv", newline="", encoding="utf-8") as file:
                found.append(round(sum(float(row["seconds"]) for row in csv.DictReader(file)), 3))
        except (OSError, KeyError, ValueError):
            found.append(None)
    return found
