"""What each modality gives to a finished run's models: every seed of every fold on its own test rows, as one table."""

import math
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from mmfuse import masks
from mmfuse.contribution.contributions import contributions
from mmfuse.data.columns import Streamed
from mmfuse.run.loader import loader
from mmfuse.run.make import Config
from mmfuse.run.reopened import Reopened
from mmfuse.types import Batch

DRAWS, FEWEST = 20, 3  # pairings of rows over all models, and of each at least
CURVE_DRAWS, FEWEST_CURVES = 4, 2
RATES = (0.0, 0.2, 0.4, 0.6, 0.8)
EMAP_ROWS = 300
ROWS, FEWEST_ROWS = 3000, 1000  # test rows asked about over all models, and of each at least
AT_ONCE = 256  # rows a batch, or as many as training took at once, which media that memory does not hold keep to


def given(cfg: Config, one: Reopened, number: int, models: int, hears: Collection[str] | None) -> dict[str, Any]:
    """Of the `number`th of so many models, which has pairings of its own. EMAP is asked of the first alone."""
    return contributions(
        one.model,
        batches(cfg, one, some(one.rows, max(FEWEST_ROWS, ROWS // models)), hears),
        one.replica.tasks,
        draws=shared_out(DRAWS, models, FEWEST),
        rates=RATES,
        curve_draws=shared_out(CURVE_DRAWS, models, FEWEST_CURVES),
        emap_rows=0 if number else EMAP_ROWS,
        seed=number,
    )


def shared_out(draws: int, models: int, fewest: int) -> int:
    """
    >>> [shared_out(20, models, 3) for models in (1, 3, 10)]
    [20, 7, 3]
    """
    return max(fewest, math.ceil(draws / models))


def some(rows: np.ndarray, most: int) -> np.ndarray:
    """All, or so many drawn by chance, in their order; the same each time."""
    if len(rows) <= most:
        return rows
    return rows[np.sort(np.random.default_rng(0).permutation(len(rows))[:most])]


def batches(cfg: Config, one: Reopened, rows: np.ndarray, hears: Collection[str] | None) -> Iterator[Batch]:
    """With nothing of the modalities that the run did not test; None: it tested all."""
    held = not any(isinstance(column, Streamed) for column in one.prepared.columns.values())
    large = {**cfg, "batch_size": max(AT_ONCE, cfg["batch_size"])} if held else cfg
    for batch in loader(large, one.prepared, rows, None):
        yield batch if hears is None else batch._replace(signals=masks.keep(batch.signals, hears))
