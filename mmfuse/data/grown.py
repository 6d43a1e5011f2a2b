"""New training rows, made from the vectors of those there are, set behind the last row of a data set.

The numbers of the rows before them stay as they are, those of validation and test rows among them.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmfuse.data.columns import Column, Padded, Stored
from mmfuse.errors import ConfigError, DataError
from mmfuse.types import Ragged

# Vectors (N, D) and class numbers (N,) of rows -> those of new ones, (R, D) and (R,).
MakeRows = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class Grown(NamedTuple):
    columns: dict[str, Column]
    targets: dict[str, Tensor | Padded]  # of other tasks: no label
    rows: np.ndarray  # the numbers of the new rows, (R,)


def grow(
    columns: Mapping[str, Column], targets: Mapping[str, Tensor | Padded], task: str, rows: np.ndarray, make: MakeRows
) -> Grown:
    """`make` sees a row as one vector, those of all modalities end to end, and only the training `rows`."""
    known = {name: target for name, target in targets.items() if isinstance(target, Tensor)}
    if steps := sorted(set(targets) - set(known)):
        raise ConfigError(
            f"new rows have one step, but the task '{steps[0]}' labels many\n  to go on: imbalance=oversample"
        )
    stored = {modality: vectors(modality, column, rows) for modality, column in columns.items()}
    seen = torch.from_numpy(rows)
    each = {m: column.data[column.starts[seen]] for m, column in stored.items()}  # (N, D) of each modality
    made, labels = make(torch.cat(list(each.values()), dim=1).numpy(), known[task].numpy()[rows])
    new = torch.from_numpy(made).split([v.shape[1] for v in each.values()], dim=1)  # (R, D) of each modality
    first, n = len(known[task]), len(labels)
    told = {task: torch.from_numpy(labels)}
    return Grown(
        {m: extended(stored[m], vector) for m, vector in zip(each, new, strict=True)},
        {t: torch.cat([y, told.get(t, unknown(y, n))]) for t, y in known.items()},
        np.arange(first, first + n),
    )


def vectors(modality: str, column: Column, rows: np.ndarray) -> Stored:
    """The column, where it holds one vector for each of these rows."""
    held = isinstance(column, Stored) and column.data.ndim == 2 and column.data.is_floating_point()
    if not isinstance(column, Stored) or not held or int(column.lengths.max()) > 1:
        raise ConfigError(
            f"new rows can be made of vectors, but the modality '{modality}' is not one vector a row"
            "\n  to go on: imbalance=oversample, or modalities=[...] without it"
        )
    lacking = rows[~column.ragged.present.numpy()[rows]]
    if len(lacking):
        raise DataError(
            f"new rows can be made of whole rows, but {len(lacking)} of {len(rows)} training rows lack the modality"
            f" '{modality}'; the first is row {lacking[0]}"
            "\n  to go on: dataset.missing.policy=drop or fill, or imbalance=oversample"
        )
    return column


def extended(column: Stored, new: Tensor) -> Stored:
    data, lengths, real = column.ragged
    real = None if real is None else torch.cat([real, torch.ones(len(new), dtype=torch.bool)])
    return Stored(Ragged(torch.cat([data, new]), torch.cat([lengths, torch.ones(len(new), dtype=lengths.dtype)]), real))


def unknown(target: Tensor, n: int) -> Tensor:
    """(n, ...) answers that say nothing."""
    return target.new_full((n, *target.shape[1:]), float("nan") if target.is_floating_point() else -1)
