"""Rows in batches."""

import numpy as np
from torch.utils.data import DataLoader

from mmfuse.data.batches import Batches, Held, Streaming
from mmfuse.data.by_length import ByLength
from mmfuse.data.columns import Stored, Streamed
from mmfuse.data.order import Order
from mmfuse.errors import ConfigError
from mmfuse.ranks import here
from mmfuse.run.make import Config
from mmfuse.run.prepare import Prepared
from mmfuse.types import Batch


def loader(cfg: Config, prepared: Prepared, rows: np.ndarray, seed: int | None) -> DataLoader[Batch]:
    """Whole batches of these rows; shuffled anew each epoch where there is a seed."""
    streams = any(isinstance(c, Streamed) for c in prepared.columns.values())
    try:
        order = ordered(cfg, prepared, rows, seed)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    batches = Batches(prepared.columns, prepared.targets)
    if not streams:
        return Held(batches, sampler=order, batch_size=None)
    return DataLoader(batches, sampler=order, batch_size=None, num_workers=cfg["loader"]["workers"])


def ordered(cfg: Config, prepared: Prepared, rows: np.ndarray, seed: int | None) -> Order:
    """Only training rows are batched by length: those that are recorded keep their order."""
    if not cfg["loader"]["by_length"] or seed is None:
        return Order(rows, cfg["batch_size"], seed, here())
    held = {m: column.lengths.numpy() for m, column in prepared.columns.items() if isinstance(column, Stored)}
    if not held and prepared.encoded:  # not yet: their lengths are told by what frozen encoders say
        return Order(rows, cfg["batch_size"], seed, here())
    if not held:
        raise ConfigError(
            "loader.by_length=true: the lengths of rows that are read anew each epoch are not known"
            "\n  to go on: loader.by_length=false, or a larger loader.memory_gb"
        )
    if all((lengths == lengths[0]).all() for lengths in held.values()):
        return Order(rows, cfg["batch_size"], seed, here())
    return ByLength(rows, cfg["batch_size"], seed, held, place=here())


def training_loader(cfg: Config, prepared: Prepared, seed: int) -> DataLoader[Batch]:
    """What an epoch trains on: the rows that are held, or those that stream, of which each process has its own."""
    if prepared.stream is None:
        return loader(cfg, prepared, prepared.seen, seed)
    forgiving = cfg["dataset"]["missing"]["unreadable"] == "missing"
    try:
        batches = prepared.stream.batches(prepared.preparations, cfg["batch_size"], seed, forgiving, *here()[:2])
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return Streaming(batches, batch_size=None, num_workers=cfg["loader"]["workers"])
