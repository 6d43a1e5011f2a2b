"""The one training loop. What is learned, from which losses and how, is for the parts it is given to say."""

from collections.abc import Callable, Collection, Mapping, Sequence
from fnmatch import fnmatch
from types import MappingProxyType
from typing import Any

import numpy as np
import pytorch_lightning as L
import torch
from torch import Tensor, nn

from mmfuse import masks
from mmfuse.encoders.pretrained import Pretrained
from mmfuse.errors import TrainingError
from mmfuse.tasks.figures import scores
from mmfuse.tasks.losses import losses as losses_of
from mmfuse.types import (
    Balancer,
    Batch,
    Fusion,
    Losses,
    Model,
    Objective,
    Outputs,
    Parts,
    Phase,
    Predictions,
    Schedule,
    Task,
    Units,
)


class Learner(L.LightningModule):
    def __init__(
        self,
        model: Model,
        tasks: Mapping[str, Task],
        objectives: Mapping[str, Objective],
        balancer: Balancer,
        schedule: Schedule,
        optimizer: Callable[..., torch.optim.Optimizer],
        augment: Mapping[str, nn.Module] = MappingProxyType({}),
        drop: float = 0.0,
        seed: int = 0,
    ):
        """`optimizer` is called with `params`, a group for each part; `drop` is the rate of modality dropout.

        `augment` changes the training rows' signals, by modality.
        """
        super().__init__()
        if not 0 <= drop < 1:
            raise ValueError(f"drop={drop}: a share from 0 up to, but not, 1 is needed")
        self.model, self.tasks = model, tasks
        self.objectives, self.balancer = nn.ModuleDict(objectives), balancer
        self.schedule, self.optimizer, self.drop, self.seed = schedule, optimizer, drop, seed
        self.augment = Parts(augment)
        self.groups = parameter_groups(model) | {
            "objectives": trainable(self.objectives),
            "balance": trainable(balancer),
        }
        check_learns(tasks, self.groups)
        self.pretrained = {m: part for m, e in model.encoders.items() if (part := pretrained(e)) is not None}
        self.asleep: set[nn.Parameter] = set()  # what is held until a later epoch
        self.hears: Collection[str] | None = None  # the modalities to predict from; None: all
        self.sums: dict[str, Tensor] = {}  # of each training loss over the epoch's rows
        self.rows = 0
        self.heard: list[tuple[dict[str, Units], Losses, int]] = []  # of the validation rows
        self.figures: dict[str, float] = {}  # of the epoch

    def on_train_epoch_start(self) -> None:
        self.sums, self.rows = {}, 0
        for encoder in self.pretrained.values():
            encoder.at_epoch(self.current_epoch)
        self.asleep = {p for e in self.pretrained.values() if e.asleep for p in e.waiting()}
        for part in self.model.modules():
            if isinstance(part, Fusion):
                part.at_epoch(self.current_epoch)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # Chance is a function of seed, epoch and batch, and keeps no state: a resumed run throws the same dice.
        torch.manual_seed(mixed(self.seed, self.current_epoch, batch_idx))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        phase = self.schedule(self.current_epoch, self.global_step)
        self.still(phase)
        signals = {m: self.augment[m](s) if m in self.augment else s for m, s in batch.signals.items()}
        encoded = self.model.encode(masks.drop(signals, self.drop) if self.drop else signals)
        used = {m for m in encoded if matches(m, phase.modalities)}
        heard = encoded if len(used) == len(encoded) else masks.keep(encoded, used)
        outputs = self.model.outputs(heard, encoded)
        losses = {n: loss for n, loss in self.losses(outputs, batch).items() if matches(n, phase.losses)}
        total = self.balancer(losses)
        if not total.isfinite():
            raise self.diverged(losses, batch, encoded, batch_idx)
        for name, loss in losses.items():
            self.sums[name] = self.sums.get(name, torch.zeros_like(loss)) + loss.detach() * len(batch.rows)
        self.rows += len(batch.rows)
        return total

    def losses(self, outputs: Outputs, batch: Batch) -> Losses:
        losses = losses_of(self.tasks, outputs, batch)
        for objective in self.objectives.values():
            losses |= objective(outputs, batch)
        return losses

    def still(self, phase: Phase) -> None:
        """Only the groups that the phase leaves free get gradients."""
        if unknown := set(phase.frozen) - set(self.groups):
            raise ValueError(f"the schedule freezes {sorted(unknown)}, but the parts are {list(self.groups)}")
        for group, parameters in self.groups.items():
            for p in parameters:
                p.requires_grad_(group not in phase.frozen and p not in self.asleep)

    def diverged(self, losses: Losses, batch: Batch, encoded: Mapping[str, Any], batch_idx: int) -> TrainingError:
        names = [name for name, loss in losses.items() if not loss.isfinite()]
        total = float(sum(loss.detach() for loss in losses.values()))
        suspects = {"input": batch.signals, "encoder's output": encoded}
        places = [
            f"{m} ({what})"
            for what, signals in suspects.items()
            for m, s in signals.items()
            if s.data.is_floating_point() and not s.data[s.mask].isfinite().all()
        ]
        lost = [g for g, ps in self.groups.items() if not all(bool(p.isfinite().all()) for p in ps)]
        return TrainingError(
            f"loss {', '.join(names)} is {total:g} at step {self.global_step}"
            f" (epoch {self.current_epoch}, batch {batch_idx})\n"
            f"  not finite: {', '.join(places) or 'no modality; the fused prediction'}"
            + (f"; weights of {', '.join(lost)}" if lost else "")
            + "\n  to go on: a lower optimizer.lr, a lower trainer.gradient_clip_val, or trainer.precision=32-true"
        )

    def validation_step(self, batch: Batch, _: int) -> None:
        outputs = self.model(batch.signals)
        self.heard.append(
            (self.units(outputs.predictions, batch.targets), self.losses(outputs, batch), len(batch.rows))
        )

    def units(self, predictions: Predictions, targets: Mapping[str, Tensor]) -> dict[str, Units]:
        """What each task is scored by, on the CPU."""
        found = {n: task.units(predictions[n], targets[n]) for n, task in self.tasks.items()}
        return {n: Units(u.prediction.float().cpu(), u.target.cpu(), u.place.cpu()) for n, u in found.items()}

    def on_validation_epoch_end(self) -> None:
        self.figures = scores(self.tasks, {n: joined([units[n] for units, _, _ in self.heard]) for n in self.tasks})
        sizes = [rows for _, _, rows in self.heard]
        for name in self.heard[0][1]:
            each = [float(losses[name]) for _, losses, _ in self.heard]
            self.figures[f"val/loss/{name}"] = float(np.average(each, weights=sizes))
        self.figures["val/loss"] = sum(v for n, v in self.figures.items() if n.startswith("val/loss/"))
        self.heard.clear()
        self.log_dict(self.figures)  # once an epoch: what early stopping and checkpoints look at

    def epoch_figures(self) -> dict[str, float]:
        """Losses over the training rows of the epoch that ends, and the scores of its validation."""
        losses = {f"train/loss/{name}": float(total) / max(self.rows, 1) for name, total in self.sums.items()}
        return {"train/loss": sum(losses.values())} | losses | self.figures

    def predict_step(self, batch: Batch, _: int) -> dict[str, Units]:
        """By task; the places are rows of the data set."""
        encoded = self.model.encode(batch.signals)
        heard = encoded if self.hears is None else masks.keep(encoded, self.hears)
        found = self.units(self.model.predict(heard), batch.targets)
        return {task: units._replace(place=batch.rows.cpu()[units.place]) for task, units in found.items()}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        groups: list[dict[str, Any]] = [{"params": ps, "name": name} for name, ps in self.groups.items() if ps]
        if not groups:
            raise ValueError("no part of the model has anything to learn")
        for group in groups:
            encoder = self.pretrained.get(group["name"])
            if encoder is not None and encoder.lr is not None:
                group["lr"] = encoder.lr
        return self.optimizer(params=groups)


def parameter_groups(model: Model) -> dict[str, list[nn.Parameter]]:
    """What a model has to learn, by modality for its encoders and by name for its other parts."""
    encoders = {m: trainable(encoder) for m, encoder in model.encoders.items()}
    for modality, encoder in model.encoders.items():
        part = pretrained(encoder)
        encoders[modality] += part.waiting() if part is not None else []
    return encoders | {part: trainable(module) for part, module in model.named_children() if part != "encoders"}


def check_learns(tasks: Mapping[str, Task], groups: Mapping[str, Sequence[nn.Parameter]]) -> None:
    """Tasks that compare what encoders say have no head that could learn in their place."""
    compared = [m for task in tasks.values() for m in task.between or ()]
    learns = any(p.requires_grad for m in compared for p in groups[m])
    if all(task.between for task in tasks.values()) and not learns:
        raise ValueError(
            f"task {', '.join(tasks)} compares what the encoders of {' and '.join(compared)} say, and all of them are"
            f" frozen: nothing learns\n  to go on: encoder.{compared[0]}.freeze=false, or one that learns"
        )


def pretrained(encoder: nn.Module) -> Pretrained | None:
    """The encoder itself, or the one that it wraps."""
    return next((part for part in encoder.modules() if isinstance(part, Pretrained)), None)


def trainable(module: nn.Module) -> list[nn.Parameter]:
    return [p for p in module.parameters() if p.requires_grad]


def joined(parts: Sequence[Units]) -> Units:
    """One after another."""
    return Units(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def mixed(*numbers: int) -> int:
    """One seed from several numbers, so that neighbours share nothing."""
    return int(np.random.SeedSequence([n % 2**32 for n in numbers]).generate_state(1, np.uint64)[0] >> 1)
