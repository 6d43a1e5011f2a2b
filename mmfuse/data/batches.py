"""Whole batches by their rows' numbers: one gather a modality, no row-by-row collation."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmfuse.data.columns import Column, Padded
from mmfuse.types import Batch


class Batches(Dataset[Batch]):
    """Indexed by a list of row numbers; goes into a `DataLoader` with `batch_size=None` and `Order` as its sampler."""

    def __init__(self, columns: Mapping[str, Column], targets: Mapping[str, Tensor | Padded]):
        self.columns, self.targets = columns, targets

    def __getitem__(self, rows: Sequence[int]) -> Batch:
        index = torch.as_tensor(rows, dtype=torch.long)  # (B,)
        return Batch(
            {modality: column.batch(index) for modality, column in self.columns.items()},
            {task: target[index] for task, target in self.targets.items()},
            index,
        )
