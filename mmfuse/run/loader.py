"""Rows in batches."""

import os

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


def training_loader(cfg: Config, prepared: Prepared, seed: int) -> DataLoader[Batch]:
    """What an epoch trains on: the rows that are held, or those that stream, of which each process has its own."""
    if prepared.stream is None:
        return loader(cfg, prepared, prepared.seen, seed)
    forgiving = cfg["dataset"]["missing"]["unreadable"] == "missing"
    rank, ranks = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))  # torch's launcher says
    try:
        batches = prepared.stream.batches(prepared.preparations, cfg["batch_size"], seed, forgiving, rank, ranks)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return DataLoader(batches, batch_size=None, num_workers=cfg["loader"]["workers"])
