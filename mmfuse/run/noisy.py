"""One modality's rows, spoiled as they lie in the data set, and prepared and encoded anew."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mmfuse.cache.encode import encode, halved
from mmfuse.corruption.corruption import Corruption
from mmfuse.data.columns import Stored
from mmfuse.data.reader import Reader
from mmfuse.errors import ConfigError
from mmfuse.prepare.reading import refuse, try_each
from mmfuse.run.encoded import frozen
from mmfuse.run.make import Config
from mmfuse.run.prepare import Prepared
from mmfuse.types import Examples, Ragged, Signal


class Noisy:
    def __init__(
        self, cfg: Config, examples: Examples, prepared: Prepared, modality: str, device: torch.device, seed: int
    ):
        self.modality, self.device, self.seed = modality, device, seed
        self.preparation, self.present = prepared.preparations[modality], prepared.present[modality]
        self.again = copy.copy(self.preparation)
        if hasattr(self.again, "threads"):
            self.again.threads = 1  # what is opened waits for no disk, and more would wait for each other
        self.reader = Reader(modality, examples, forgiving=cfg["dataset"]["missing"]["unreadable"] == "missing")
        self.reader.failures |= prepared.unreadable[modality]
        self.encoder = frozen(cfg, modality, self.preparation) if modality in prepared.encoded else None
        self.half = halved(device, cfg["encoding"]["precision"])
        refuse_filled(cfg, prepared, modality)

    def opened(self, rows: Sequence[int]) -> list[Any]:
        """Their values as the preparation reads them, None for those that lack the modality."""

        def do(values: Sequence[Any]) -> list[Any]:
            shown = [value if self.present[row] else None for row, value in zip(rows, values, strict=True)]
            tried = try_each(self.preparation.opened, shown, getattr(self.preparation, "threads", 1))
            refuse(tried)
            return tried

        found: list[Any] = self.reader.read(do, rows)
        self.reader.check()
        return found

    def signal(
        self, opened: Sequence[Any], rows: Sequence[int], corruption: Corruption, level: float, draw: int
    ) -> Signal | None:
        """A batch of these rows, as the model's own encoder reads them; None where none has the modality."""
        spoiled = [
            None if value is None else corruption(value, level, dice(self.seed, draw, row, self.modality))
            for row, value in zip(rows, opened, strict=True)
        ]
        if all(value is None for value in spoiled):
            return None
        ragged: Ragged = self.again(spoiled)
        if self.encoder is not None:
            ragged = encode(self.encoder.to(self.device), ragged, self.device, self.half, self.encoder.cost)
        data, mask = Stored(ragged).batch(torch.arange(len(rows)))
        return Signal(data.to(self.device), mask.to(self.device))


def dice(seed: int, draw: int, row: int, modality: str) -> np.random.Generator:
    """The same for a row of the data set, whoever is asked about it, among which others and at which level."""
    return np.random.default_rng([seed, draw, row, *modality.encode()])


def refuse_filled(cfg: Config, prepared: Prepared, modality: str) -> None:
    about, column = cfg["dataset"]["missing"], prepared.columns[modality]
    if about["policy"] != "fill" or about["fill"] == "token":
        return
    if not prepared.present[modality].all() or (isinstance(column, Stored) and column.real is not None):
        raise ConfigError(
            f"'{modality}' has missing values that this run fills from its training rows (dataset.missing.fill="
            f"{about['fill']}), and noise would be filled with them\n  to go on: a run with dataset.missing.policy=mask"
        )
