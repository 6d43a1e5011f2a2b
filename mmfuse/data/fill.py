"""Something in the place of what is missing, made from the training rows: for those who would rather not mask.

A row that lacks a modality gets one step of it, and a step with holes gets its holes filled. What is filled is present
from then on: no fusion can tell it from what was measured, which is what a mask would have said.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from sklearn.impute import KNNImputer
from torch import Tensor

from mmfuse.types import Ragged

NEIGHBOURS = 5
KINDS = {  # of modality that each way of filling is for
    "zero": ("image", "video", "audio", "vector", "sequence", "tabular"),
    "mean": ("image", "video", "vector", "sequence", "tabular"),
    "median": ("image", "video", "vector", "sequence", "tabular"),
    "neighbours": ("vector", "tabular"),
}


def suits(how: str, kinds: Mapping[str, str]) -> None:
    """`ValueError` where a modality cannot be filled this way."""
    for modality, kind in kinds.items():
        if kind not in KINDS[how]:
            raise ValueError(
                f"dataset.missing.fill={how}: the modality '{modality}' is of kind {kind}, which cannot be filled so"
                "\n  to go on: dataset.missing.fill=token, a step that is learned, or dataset.missing.policy=mask"
            )


def fill(
    columns: Mapping[str, Ragged], zeros: Mapping[str, Tensor], train: Sequence[int], how: str
) -> dict[str, Ragged]:
    """By modality, in which no row lacks anything any more. `zeros` is what a step of zeros is prepared to.

    `how` is "zero", "mean" or "median" (of each feature over the training rows' real steps), or "neighbours": the mean
    of the 5 training rows that are nearest in what both have, over the features of all modalities side by side
    (Troyanskaya et al., Missing value estimation methods for DNA microarrays, 2001).
    """
    if how == "neighbours":
        return neighbours(columns, train)
    found = {}
    for modality, ragged in columns.items():
        typical = zeros[modality] if how == "zero" else middle(ragged, train, how)
        length = int(ragged.lengths[train].float().median()) if ragged.data.ndim == 1 else 1  # a clip of silence
        found[modality] = filled(ragged, typical, length)
    return found


def middle(ragged: Ragged, train: Sequence[int], how: str) -> Tensor:
    """(...) the mean or median step of the training rows."""
    of_train = torch.zeros(len(ragged.lengths), dtype=torch.bool)
    of_train[torch.as_tensor(train)] = True
    real = of_train.repeat_interleave(ragged.lengths)  # (S,)
    real = real if ragged.mask is None else real & ragged.mask
    steps = ragged.data[real].float()
    return (steps.mean(dim=0) if how == "mean" else steps.quantile(0.5, dim=0)).to(ragged.data.dtype)


def filled(ragged: Ragged, typical: Tensor, length: int) -> Ragged:
    """`length` typical steps for a row without any; a typical value for each that is not a finite number."""
    data = ragged.data
    if data.is_floating_point() and ragged.mask is not None:
        data = torch.where(data.isfinite(), data, typical.to(data.dtype))
    lengths = torch.where(ragged.lengths > 0, ragged.lengths, length)
    whole = data.new_empty(int(lengths.sum()), *data.shape[1:])
    measured = (ragged.lengths > 0).repeat_interleave(lengths)  # (S',)
    whole[measured] = data
    whole[~measured] = typical.to(data.dtype)
    return Ragged(whole, lengths)


def neighbours(columns: Mapping[str, Ragged], train: Sequence[int]) -> dict[str, Ragged]:
    tables = []
    for ragged in columns.values():
        table = np.full((len(ragged.lengths), ragged.data.shape[1]), np.nan, dtype=np.float32)
        table[ragged.lengths.numpy() > 0] = np.where(ragged.data.isfinite(), ragged.data, np.nan)
        tables.append(table)
    joined = np.concatenate(tables, axis=1)  # (N, D of all)
    imputer = KNNImputer(n_neighbors=NEIGHBOURS, keep_empty_features=True).fit(joined[np.asarray(train)])
    whole = np.split(imputer.transform(joined), np.cumsum([t.shape[1] for t in tables])[:-1], axis=1)
    ones = torch.ones(len(joined), dtype=torch.long)
    return {m: Ragged(torch.from_numpy(part.astype(np.float32)), ones) for m, part in zip(columns, whole, strict=True)}
