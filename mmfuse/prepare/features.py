"""Feature vectors, one a row, or sequences of them, some steps a row; standardised by the training rows.

Each feature has its mean taken off and is divided by its standard deviation, both over all steps of the training rows;
one that never varies is left undivided.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmfuse.prepare.reading import read_each
from mmfuse.types import Preparation, Ragged

# An array is (D,) or (T, D), so is a list or its JSON; a file holds one array, .npy, or the only one of an .npz.
Steps = Path | np.ndarray | list | str


class Features(Preparation):
    def __init__(self, standardise: bool = True):
        self.standardise = standardise
        self.size = 0
        self.mean = self.std = np.empty(0)

    def fit(self, raw: Sequence[Steps | None]) -> None:
        if read := read_each(steps, raw):
            self.size = read[0].shape[1]
            joined = np.concatenate(read) if len({r.shape[1] for r in read}) == 1 else read[0]
            self.mean, self.std = joined.mean(axis=0, dtype=np.float64), joined.std(axis=0, dtype=np.float64)

    def __call__(self, raw: Sequence[Steps | None]) -> Ragged:
        read = read_each(self.of_one_width, raw)
        lengths = torch.zeros(len(raw), dtype=torch.long)
        lengths[[i for i, value in enumerate(raw) if value is not None]] = torch.tensor(
            [len(r) for r in read], dtype=torch.long
        )
        joined = np.concatenate([np.empty((0, self.size), np.float32), *read])  # (S, D)
        if self.standardise:
            joined = (joined - self.mean) / np.where(self.std > 1e-8, self.std, 1.0)
        return Ragged(torch.from_numpy(joined.astype(np.float32)), lengths)

    def of_one_width(self, value: Steps) -> np.ndarray:
        array = steps(value)
        if array.shape[1] != self.size:
            raise ValueError(f"{array.shape[1]} features, where the training rows have {self.size}")
        return array

    def state(self) -> dict[str, Any]:
        return {"size": self.size, "mean": self.mean.tolist(), "std": self.std.tolist()}

    def restore(self, state: dict[str, Any]) -> None:
        self.size, self.mean, self.std = state["size"], np.array(state["mean"]), np.array(state["std"])


def steps(value: Steps) -> np.ndarray:
    """(T, D) finite numbers."""
    array = read_array(value) if isinstance(value, Path) else json.loads(value) if isinstance(value, str) else value
    array = [np.asarray(step, np.float32) for step in array]  # Parquet gives arrays of arrays
    array = np.atleast_2d(np.asarray(array, np.float32))
    if array.ndim != 2 or not array.size:
        raise ValueError(f"its shape is {array.shape}, but (features,) or (steps, features) is needed")
    if not np.isfinite(array).all():
        step, feature = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(f"{array[step, feature]} at step {step}, feature {feature}")
    return array


def read_array(path: Path) -> np.ndarray:
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded as archive:
        if len(archive.files) != 1:
            raise ValueError(f"it holds {archive.files}, but one array is needed")
        return archive[archive.files[0]]
