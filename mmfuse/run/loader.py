"""Rows in batches."""

import numpy as np
from torch.utils.data import DataLoader

from mmfuse.data.batches import Batches
from mmfuse.data.columns import Streamed
from mmfuse.data.order import Order
from mmfuse.errors import ConfigError
from mmfuse.run.make import Config
from mmfuse.run.prepare import Prepared
from mmfuse.types import Batch


def loader(cfg: Config, prepared: Prepared, rows: np.ndarray, seed: int | None) -> DataLoader[Batch]:
    """Whole batches of these rows; shuffled anew each epoch where there is a seed."""
    streams = any(isinstance(c, Streamed) for c in prepared.columns.values())
    try:
        order = Order(rows.tolist(), cfg["batch_size"], seed)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return DataLoader(
        Batches(prepared.columns, prepared.targets),
        sampler=order,
        batch_size=None,
        num_workers=cfg["loader"]["workers"] if streams else 0,
    )
