"""A trained model is asked about rows, with or without labels: what it says, and the vectors it says it from."""

from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as L
import torch
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import Tensor
from torch.utils.data import DataLoader

from mmfuse import masks
from mmfuse.errors import ConfigError, TrainingError
from mmfuse.learner.joined import joined
from mmfuse.learner.lean import lean
from mmfuse.learner.placed import Placed
from mmfuse.models.heads import FusedStepHead, RowHead, StepHead
from mmfuse.ranks import here
from mmfuse.types import Batch, Model, Task, Units


class Told(NamedTuple):
    units: dict[str, Units]  # by task; the places are rows of the data set
    embeddings: dict[str, np.ndarray]  # by name: (N, D) in the order of the rows, NaN where a row lacks the modality


class Asked(L.LightningModule):
    def __init__(self, model: Model, tasks: Mapping[str, Task], hears: Collection[str] | None, embeds: bool):
        """Only what the encoders say of the modalities in `hears` is heard; None: all."""
        super().__init__()
        self.model, self.tasks, self.hears, self.embeds = model, tasks, hears, embeds

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """As the learner does: batches are made on the CPU."""
        return batch if device.type == "cpu" else super().transfer_batch_to_device(batch, device, dataloader_idx)

    def predict_step(self, batch: Batch, _: int) -> tuple[dict[str, Units], dict[str, Tensor]]:
        encoded = self.model.encode(batch.signals)
        heard = encoded if self.hears is None else masks.keep(encoded, self.hears)
        fused: dict[str, Tensor] = {}
        with ExitStack() as hooks:
            for name, part in self.model.named_modules() if self.embeds else ():
                if isinstance(part, RowHead | StepHead | FusedStepHead):
                    hook = part.register_forward_pre_hook(keep_in(fused, name.rpartition("heads.")[2]))
                    hooks.callback(hook.remove)
            said = self.model.predict(heard)
        found = {}
        for name, task in self.tasks.items():
            target = batch.targets[name] if name in batch.targets else unknown(task, said[name], batch)
            units = task.units(said[name], target)
            place = batch.rows.cpu()[units.place.cpu()]
            found[name] = Units(units.prediction.float().cpu(), units.target.cpu(), place)
        if not self.embeds:
            return found, {}
        embeddings = {m: s.pooled().masked_fill(~s.present[:, None], torch.nan) for m, s in heard.items()} | fused
        return found, {name: vectors.float().cpu() for name, vectors in embeddings.items()}


def keep_in(fused: dict[str, Tensor], task: str) -> Callable[..., None]:
    def hook(module: torch.nn.Module, given: tuple[Any, ...]) -> None:
        fused[f"fused for {task}"] = given[0].pooled()

    return hook


def unknown(task: Task, said: Tensor, batch: Batch) -> Tensor:
    """Targets that only say what there is to predict: every row, or every real step of the modality it labels."""
    if task.of is None:
        return torch.zeros(len(said), dtype=torch.long, device=said.device)
    return batch.signals[task.of].mask.long() - 1  # (B, T) 0 where a step is real, -1 beyond


def ask(asked: Asked, make_trainer: Callable[..., L.Trainer], rows: DataLoader[Batch]) -> Told:
    try:
        trainer = make_trainer(
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            plugins=[Placed(here())],
        )
    except (MisconfigurationException, RuntimeError, KeyError, ImportError) as error:
        said = str(error).splitlines()[0]
        raise ConfigError(f"trainer: {said}\n  to go on: trainer.accelerator=cpu, or another device") from error
    lean(trainer)
    parts = trainer.predict(asked, rows)
    if not parts:
        raise TrainingError("nothing was predicted: there are no rows")
    units = {task: joined([found[task] for found, _ in parts]) for task in parts[0][0]}
    names = list(parts[0][1])
    return Told(units, {name: torch.cat([vectors[name] for _, vectors in parts]).numpy() for name in names})
