"""Feature vectors, one a row, or sequences of them, some steps a row; standardised by the training rows.

Each feature has its mean taken off and is divided by its standard deviation, both over all real steps of the training
rows; one that never varies is left undivided. A step with a value that is not a finite number (NaN, -inf from a log of
silence) is a missing step, and stays in its place behind the mask.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler

from mmfuse.prepare.reading import read_each
from mmfuse.types import Preparation, Ragged, Unreadable, UnreadableError

# An array is (D,) or (T, D), so is a list or its JSON; a file holds one array, .npy, or the only one of an .npz.
Steps = Path | np.ndarray | list | str

CHUNK = 4096  # rows that are read at a time while fitting


class Features(Preparation):
    def __init__(self, standardise: bool = True):
        self.standardise = standardise
        self.size = 0
        self.mean = self.std = np.empty(0)

    def fit(self, raw: Sequence[Steps | None]) -> None:
        scaler, widths = StandardScaler(), list[int]()
        for read in chunks(raw):
            widths += [r.shape[1] for r in read]
            alike = np.concatenate([r for r in read if r.shape[1] == widths[0]])
            if len(real := alike[np.isfinite(alike).all(axis=1)]):
                scaler.partial_fit(real.astype(np.float64))
        if widths:
            self.size = widths[0]
            fitted = hasattr(scaler, "mean_")
            self.mean = scaler.mean_ if fitted else np.zeros(self.size)
            self.std = np.sqrt(scaler.var_) if fitted else np.ones(self.size)

    def __call__(self, raw: Sequence[Steps | None]) -> Ragged:
        read = read_each(self.of_one_width, raw)
        lengths = torch.zeros(len(raw), dtype=torch.long)
        lengths[[i for i, value in enumerate(raw) if value is not None]] = torch.tensor(
            [len(r) for r in read], dtype=torch.long
        )
        joined = np.concatenate([np.empty((0, self.size), np.float32), *read])  # (S, D)
        real = np.isfinite(joined).all(axis=1)  # (S,)
        mask = None if real.all() else torch.from_numpy(real)
        return Ragged(torch.from_numpy(self.scaled(joined)), lengths, mask)

    def scaled(self, joined: np.ndarray) -> np.ndarray:
        if not self.standardise:
            return joined.astype(np.float32, copy=False)
        with np.errstate(invalid="ignore"):
            return ((joined - self.mean) / np.where(self.std > 1e-8, self.std, 1.0)).astype(np.float32)

    def zero(self) -> torch.Tensor:
        return torch.from_numpy(self.scaled(np.zeros((1, self.size), np.float32))[0])  # (D,)

    def of_one_width(self, value: Steps) -> np.ndarray:
        array = steps(value)
        if array.shape[1] != self.size:
            raise ValueError(f"{array.shape[1]} features, where the training rows have {self.size}")
        return array

    def opened(self, value: Steps) -> np.ndarray:
        return self.of_one_width(value)  # (T, D)

    def spread(self) -> np.ndarray:
        return self.std

    def state(self) -> dict[str, Any]:
        return {"size": self.size, "mean": self.mean.tolist(), "std": self.std.tolist()}

    def restore(self, state: dict[str, Any]) -> None:
        self.size, self.mean, self.std = state["size"], np.array(state["mean"]), np.array(state["std"])


def chunks(raw: Sequence[Steps | None]) -> Iterator[list[np.ndarray]]:
    """Some rows at a time, so that a data set larger than memory can be fitted; in the end, all failures."""
    failures: list[Unreadable] = []
    for start in range(0, len(raw), CHUNK):
        try:
            read = read_each(steps, raw[start : start + CHUNK], offset=start)
        except UnreadableError as error:
            failures += error.failures
            continue
        if read:
            yield read
    if failures:
        raise UnreadableError(failures)


def steps(value: Steps) -> np.ndarray:
    """(T, D) numbers."""
    array = read_array(value) if isinstance(value, Path) else json.loads(value) if isinstance(value, str) else value
    try:
        array = np.asarray(array, np.float32)
    except (ValueError, TypeError):
        array = np.asarray([np.asarray(step, np.float32) for step in array], np.float32)  # Parquet's arrays of arrays
    array = np.atleast_2d(array)
    if array.ndim != 2 or not array.size:
        raise ValueError(f"its shape is {array.shape}, but (features,) or (steps, features) is needed")
    return array


def read_array(path: Path) -> np.ndarray:
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded as archive:
        if len(archive.files) != 1:
            raise ValueError(f"it holds {archive.files}, but one array is needed")
        return archive[archive.files[0]]
