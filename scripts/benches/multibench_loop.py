"""A training loop as MultiBench has it, written anew from what it does, to be raced against.

Each epoch: torch's DataLoader, shuffled, rows collated one by one; gradients cleared, forward, loss, backward,
clipping, a step of the optimizer, the loss added up; then the validation rows likewise without gradients, and the model
saved where it is the best so far. After training_structures/Supervised_Learning.py of
https://github.com/pliang279/MultiBench. Left out is what it does besides: printing, and watching its own memory.
Rows are given as tensors, padded beforehand; its data sets make them anew from arrays at each visit.
"""

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Loss = Callable[[Tensor, Tensor], Tensor]


def by_multibench(
    model: nn.Module,
    rows: tuple[TensorDataset, TensorDataset],
    optimizer: torch.optim.Optimizer,
    criterion: Loss,
    clip: float,
    size: int,
    epochs: int,
    file: Path,
) -> list[float]:
    """CPU seconds of each epoch; `rows` are for training and for validation, the last tensor of each its target."""
    train = DataLoader(rows[0], size, shuffle=True)
    val = DataLoader(rows[1], size)
    best, ends = float("inf"), [time.process_time()]
    for _ in range(epochs):
        model.train()
        total = 0.0
        for batch in train:
            optimizer.zero_grad()
            loss = criterion(model([part.float() for part in batch[:-1]]), batch[-1])
            total += loss * len(batch[-1])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
        float(total)
        model.eval()
        with torch.no_grad():
            total = 0.0
            for batch in val:
                total += criterion(model([part.float() for part in batch[:-1]]), batch[-1]) * len(batch[-1])
        if float(total) < best:
            best = float(total)
            torch.save(model, file)
        ends.append(time.process_time())
    return [after - before for before, after in pairwise(ends)]
