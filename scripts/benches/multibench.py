"""Training rows a second of a run's own loop, against MultiBench's: the same layers, data, optimizer and one thread.

Ours is the learner under Lightning's trainer with all that belongs to a run: shuffling, checks for what is not finite,
validation with its figures, early stopping, checkpoints. Theirs is `multibench_loop.py`. Time is CPU time, the median
of the epochs of several turns; each epoch trains and validates. Sequences are as long as MOSI's utterances (median 10
words, mean 12, at most 50); theirs are padded to 50, ours batched by length, with what is padded masked. The packed
GRU is given as much for comparison: it reads real steps only, too. Where LeNets win is memory: channels lie next to
each other, and pooling comes before relu. What steps of small MLPs lose is Lightning's loop around each of them
(`steps`); they win by gathering a batch's rows at once and by a fused optimizer.
"""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as L
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import TensorDataset

from benches import multibench_models as theirs
from benches.epochs import EpochClock
from benches.held import prepared, settings
from benches.multibench_loop import Loss, by_multibench
from benches.row import Row
from mmfuse.balance.plain import Plain
from mmfuse.data.columns import Stored
from mmfuse.encoders.gru import GRU
from mmfuse.encoders.identity import Identity
from mmfuse.encoders.lenet import LeNet
from mmfuse.encoders.mlp import MLP
from mmfuse.fusion.concat import ConcatFusion
from mmfuse.fusion.mult import MultFusion
from mmfuse.learner.fit import Patience, fit
from mmfuse.learner.learner import Learner
from mmfuse.listener import Listener
from mmfuse.models.feature import FeatureFusion
from mmfuse.run.loader import loader
from mmfuse.schedules.synchronous import Synchronous
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.regression import Regression
from mmfuse.types import Encoder, Fusion, Ragged, Task

TURNS = 2  # after one that is not counted
EPOCHS = 2
STEPS = 50  # that MultiBench pads MOSI to
SIZES = {"vision": 35, "audio": 74, "text": 300}  # of MOSI's features


class Case(NamedTuple):
    encoders: Callable[[], dict[str, Encoder]]
    fusion: Callable[..., Fusion]
    rival: Callable[[], nn.Module]
    columns: dict[str, Ragged]
    target: Tensor
    task: Task
    criterion: Loss
    optimizer: Callable[..., torch.optim.Optimizer]
    clip: float
    size: int  # of a batch

    def padded(self) -> list[Tensor]:
        return [column.data if (column.lengths == 1).all() else padded(column) for column in self.columns.values()]


def rows(share: float = 1.0, turns: int = TURNS) -> Iterator[Row]:
    """`share` of the rows that take long; few rows are few batches, which are less alike in length."""

    def some(n: int) -> int:
        return round(share * n)

    yield from raced("LeNet x 2 + concat, 1 x 28 x 28 and 1 x 112 x 112", lenets(some(600)), 1.1, turns)
    yield from raced("MulT, lengths of MOSI", mult(some(640)), 2.5, turns)
    yield from raced("GRUs, lengths of MOSI", grus(some(640), theirs.GRU), 2.5, turns)
    yield from raced("  the same, against theirs packed", grus(some(640), theirs.PackedGRU), 1.0, turns)
    yield from raced("MLP x 2 + concat, vectors of 128", vectors(8192), 1.0, turns)


def raced(name: str, case: Case, goal: float, turns: int) -> Iterator[Row]:
    took: dict[str, list[float]] = {"ours": [], "theirs": []}
    for turn in range(turns + 1):
        for who, run in (("ours", through_fit), ("theirs", through_theirs)):
            each = run(case, EPOCHS if turn else 1)
            took[who] += each if turn else []
    n = len(case.target)
    yield Row(name, n / median(took["ours"]), n / median(took["theirs"]), (">=", goal), "rows/s")


def through_fit(case: Case, epochs: int) -> list[float]:
    torch.manual_seed(0)
    tasks = {"task": case.task}
    model = FeatureFusion(case.encoders(), tasks, case.fusion)
    learner = Learner(model, tasks, {}, Plain(["task/task"]), Synchronous(), case.optimizer)
    about = prepared({m: Stored(column) for m, column in case.columns.items()}, {"task": case.target}, len(case.target))
    train, val = divided(len(case.target))
    clock, keys = EpochClock(), settings(case.size, by_length=True)
    with tempfile.TemporaryDirectory() as folder:
        fit(
            learner,
            partial(trainer, clock, epochs, case.clip),
            loader(keys, about, train, 0),
            loader(keys, about, val, None),
            Path(folder) / "checkpoints",
            Patience("val/loss", "min", 100, 0.0),
            Listener(),
        )
    return clock.seconds()


def trainer(clock: L.Callback, epochs: int, clip: float, callbacks: list[L.Callback], **parts: Any) -> L.Trainer:
    return L.Trainer(
        accelerator="cpu", max_epochs=epochs, gradient_clip_val=clip, callbacks=[*callbacks, clock], **parts
    )


def through_theirs(case: Case, epochs: int) -> list[float]:
    torch.manual_seed(0)
    model, tensors = case.rival(), [*case.padded(), case.target]
    parts = [TensorDataset(*(tensor[which] for tensor in tensors)) for which in divided(len(case.target))]
    optimizer = case.optimizer(params=model.parameters())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "best.pt"
        return by_multibench(model, (parts[0], parts[1]), optimizer, case.criterion, case.clip, case.size, epochs, file)


def divided(n: int) -> tuple[np.ndarray, np.ndarray]:
    """As MOSI has them, 15 % of the rows that are trained or validated on are validated on."""
    return np.arange(n)[: -(n * 15 // 100)], np.arange(n)[-(n * 15 // 100) :]


# ---- the cases, with what MultiBench's examples set


def vectors_of(n: int, *shape: int) -> Ragged:
    return Ragged(torch.randn(n, *shape), torch.ones(n, dtype=torch.long))


def lenets(n: int) -> Case:
    torch.manual_seed(0)
    return Case(
        lambda: {"image": LeNet(1, 6, 3), "audio": LeNet(1, 6, 5)},
        partial(ConcatFusion, dim=100),
        lambda: theirs.Concat([theirs.LeNet(6, 3), theirs.LeNet(6, 5)], 240, 100, 10),
        {"image": vectors_of(n, 1, 28, 28), "audio": vectors_of(n, 1, 112, 112)},
        torch.randint(0, 10, (n,)),
        Multiclass([str(k) for k in range(10)]),
        F.cross_entropy,
        partial(torch.optim.SGD, lr=0.01, weight_decay=1e-4),
        8.0,
        40,
    )


def mult(n: int) -> Case:
    encoders = partial(each, Identity, SIZES)
    rival = partial(theirs.MulT, list(SIZES.values()))
    return sentiment(n, encoders, MultFusion, rival, 1.0)


def grus(n: int, rival: type[theirs.GRU]) -> Case:
    dims = {"vision": 64, "audio": 128, "text": 512}

    def plain() -> nn.Module:
        return theirs.Concat([rival(SIZES[m], dim) for m, dim in dims.items()], sum(dims.values()), 512, 1)

    def encoders() -> dict[str, Encoder]:
        return {m: GRU(SIZES[m], dim) for m, dim in dims.items()}

    return sentiment(n, encoders, partial(ConcatFusion, dim=512), plain, 8.0)


def sentiment(
    n: int,
    encoders: Callable[[], dict[str, Encoder]],
    fusion: Callable[..., Fusion],
    rival: Callable[[], nn.Module],
    clip: float,
) -> Case:
    torch.manual_seed(0)
    lengths = torch.from_numpy(np.random.default_rng(0).lognormal(np.log(10), 0.65, n).clip(1, STEPS).astype(np.int64))
    columns = {m: Ragged(torch.randn(int(lengths.sum()), size), lengths) for m, size in SIZES.items()}
    target = torch.rand(n) * 6 - 3
    return Case(
        encoders, fusion, rival, columns, target, Regression(), absolute,
        partial(torch.optim.AdamW, lr=1e-3, weight_decay=0.01), clip, 32,
    )  # fmt: skip


def absolute(said: Tensor, true: Tensor) -> Tensor:
    return F.l1_loss(said[:, 0], true)


def vectors(n: int) -> Case:
    torch.manual_seed(0)
    sizes = {"first": 128, "second": 128}
    return Case(
        partial(each, partial(MLP, dim=128), sizes),
        ConcatFusion,
        lambda: theirs.Concat([theirs.MLP(128, 128), theirs.MLP(128, 128)], 256, 128, 10),
        {m: vectors_of(n, size) for m, size in sizes.items()},
        torch.randint(0, 10, (n,)),
        Multiclass([str(k) for k in range(10)]),
        F.cross_entropy,
        partial(torch.optim.AdamW, lr=1e-3),
        8.0,
        64,
    )


def each(encoder: Callable[[int], Encoder], sizes: dict[str, int]) -> dict[str, Encoder]:
    return {m: encoder(size) for m, size in sizes.items()}


def padded(column: Ragged) -> Tensor:
    """(N, 50, D), zeros after the real steps."""
    each_row = column.data.split(column.lengths.tolist())
    whole = pad_sequence([*each_row, column.data.new_zeros(STEPS, column.data.shape[1])], batch_first=True)
    return whole[:-1]
