"""Trains a learner to its best epoch, and asks it what it says of rows. Only here is Lightning's trainer driven."""

import warnings
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as L
import torch
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch.utils.data import DataLoader

from mmfuse.data.batches import enter
from mmfuse.errors import ConfigError, DataError, TrainingError
from mmfuse.learner.averaging import NO_AVERAGE, Average, Averaging
from mmfuse.learner.checkpoints import BEST, LAST, AtomicCheckpoints, Newest, written
from mmfuse.learner.epochs import Epochs
from mmfuse.learner.gathered import in_turn, of_first
from mmfuse.learner.joined import joined
from mmfuse.learner.lean import lean
from mmfuse.learner.learner import Learner
from mmfuse.learner.pace import Pace
from mmfuse.learner.placed import Placed
from mmfuse.learner.settled import Best, Early, Last
from mmfuse.learner.sharded import load
from mmfuse.learner.stop import Stop
from mmfuse.learner.tell import Tell
from mmfuse.listener import Listener
from mmfuse.ranks import here
from mmfuse.types import Batch, BatchStream, Units


class Patience(NamedTuple):
    """When to stop, and which epoch was the best."""

    monitor: str  # such as "val/f1_macro"
    mode: str  # "max" or "min"
    epochs: int
    min_delta: float
    settles: int = 0  # the first epoch that may be the best, and whose figure counts


def fit(
    learner: Learner,
    make_trainer: Callable[..., L.Trainer],
    train: DataLoader[Batch],
    val: DataLoader[Batch],
    checkpoints: Path,
    patience: Patience,
    listener: Listener,
    averaging: Averaging = NO_AVERAGE,
    minutes: float = 5.0,
    resume: Newest | None = None,
) -> L.Trainer:
    """Leaves best.ckpt and last.ckpt in `checkpoints`, and the best epoch's weights in the learner.

    `minutes` is how often there is a checkpoint in the midst of an epoch; `resume` is the one to go on from.
    """
    trainer = build(make_trainer, checkpoints, patience, listener, averaging, minutes)
    listener.replicate(checkpoints.parent.name, trainer.max_epochs or -1, steps(train))
    if resume is not None:
        enter(train, resume.epoch, resume.batches)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "You're resuming from a checkpoint that ended before")  # rows are entered
            warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")  # to go on
            warnings.filterwarnings("ignore", ".broadcast_buffers. is deprecated")  # its heir is too new
            warnings.filterwarnings("ignore", "It is recommended to use .self.log.*sync_dist=True")  # gathered already
            trainer.fit(learner, train, val, ckpt_path=None if resume is None else str(resume.path))
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise TrainingError(
            f"memory ran out: {str(error).splitlines()[0] if str(error) else 'no more could be had'}\n"
            "  to go on: a smaller batch_size with trainer.accumulate_grad_batches, or trainer.precision=bf16-mixed"
        ) from error
    except DataError as error:  # from a loader's worker, with its traceback for a message
        raise DataError(str(error).rpartition("DataError: ")[2].strip()) from error
    held(trainer).flush()
    if not of_first((checkpoints / BEST).exists()):  # it was stopped, by max_steps or max_time, before any validation
        trainer.save_checkpoint(checkpoints / BEST)
        held(trainer).flush()
    saved = torch.load(checkpoints / BEST, map_location="cpu", weights_only=True)
    load(learner, saved["state_dict"])
    return trainer


def held(trainer: L.Trainer) -> AtomicCheckpoints:
    found = trainer.strategy.checkpoint_io
    assert isinstance(found, AtomicCheckpoints)
    return found


def build(
    make_trainer: Callable[..., L.Trainer],
    checkpoints: Path,
    patience: Patience,
    listener: Listener,
    averaging: Averaging = NO_AVERAGE,
    minutes: float = 5.0,
) -> L.Trainer:
    """The trainer with all that belongs to a run; `ConfigError` where its settings cannot be."""
    best = Best(
        patience.settles,
        dirpath=checkpoints,
        filename="best",
        monitor=patience.monitor,
        mode=patience.mode,
        enable_version_counter=False,
        auto_insert_metric_name=False,
    )
    pace = Pace()
    last = Last(pace, dirpath=checkpoints, filename="last", enable_version_counter=False)
    early = Early(
        patience.settles,
        monitor=patience.monitor,
        min_delta=patience.min_delta,
        patience=patience.epochs,
        mode=patience.mode,
        check_finite=False,
        strict=False,
    )
    averages = [] if averaging.kind == "none" else [Average(averaging)]  # before Stop, which may save the same step
    try:
        stop = Stop(checkpoints / LAST, minutes, pace)
        trainer = make_trainer(
            callbacks=[Epochs(), Tell(listener), *averages, stop, early, best, last],
            plugins=[AtomicCheckpoints(), Placed(here())],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # order is ours, and no row is seen twice to fill a batch
            default_root_dir=checkpoints,
        )
    except (MisconfigurationException, RuntimeError, KeyError, ImportError) as error:
        raise ConfigError(f"trainer: {error}") from error
    lean(trainer)
    if trainer.max_epochs == 0 or trainer.max_steps == 0:
        raise ConfigError("trainer.max_epochs=0: at least one epoch is needed to have something to test")
    return trainer


def steps(train: DataLoader[Batch]) -> int | None:
    """Batches an epoch; None where only reading tells."""
    rows = train.dataset
    return rows.steps(train.num_workers) if isinstance(rows, BatchStream) else len(train)


def keep(learner: Learner, checkpoints: Path) -> None:
    """What the learner has learned since its best epoch, as best.ckpt."""
    saved = torch.load(checkpoints / BEST, map_location="cpu", weights_only=True)
    if here().first:
        written(saved | {"state_dict": learner.state_dict()}, checkpoints / BEST)


def predict(
    learner: Learner, trainer: L.Trainer, rows: DataLoader[Batch], modalities: Collection[str] | None = None
) -> dict[str, Units]:
    """What is predicted and what is true, by task; the places are rows of the data set.

    Only what the encoders say of the `modalities` is heard, where they are named.
    """
    learner.hears = modalities
    try:
        said = in_turn(trainer.predict(learner, rows) or [], rows)
    finally:
        learner.hears = None
    if not said:
        raise TrainingError("nothing was predicted: there are no rows")
    return {task: joined([part[task] for part in said]) for task in said[0]}
