"""The one training loop. What is learned, from which losses and how, is for the parts it is given to say."""

from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatch
from math import isfinite
from types import MappingProxyType
from typing import Any

import numpy as np
import pytorch_lightning as L
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmfuse import masks
from mmfuse.errors import TrainingError
from mmfuse.learner.diverged import diverged
from mmfuse.learner.gathered import even_statistics, gathered, in_turn, own_batches, own_buffers, weight
from mmfuse.learner.groups import groups
from mmfuse.learner.joined import joined
from mmfuse.learner.mixup import checked as checked_mixup
from mmfuse.learner.mixup import drawn
from mmfuse.learner.one_call import fused
from mmfuse.learner.parts import LearningParts
from mmfuse.learner.penalty import NO_PENALTY, Penalty, weights
from mmfuse.learner.penalty import checked as checked_penalty
from mmfuse.learner.rates import STEADY, Rates, checked
from mmfuse.learner.seeding import mixed, seed_all
from mmfuse.ranks import here
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
    Signal,
    Signals,
    Step,
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
        rates: Rates = STEADY,
        augment: Mapping[str, nn.Module] = MappingProxyType({}),
        drop: float = 0.0,
        penalty: Penalty = NO_PENALTY,
        mixup: float = 0.0,
        seed: int = 0,
    ):
        """`optimizer` is called with `params`, a group for each part; `drop` is the rate of modality dropout.

        `augment` changes the training rows' signals, by modality; `mixup` is the alpha of Beta(alpha, alpha), or 0.
        """
        super().__init__()
        if not 0 <= drop < 1:
            raise ValueError(f"drop={drop}: a share from 0 up to, but not, 1 is needed")
        self.model, self.tasks = model, tasks
        self.objectives, self.balancer = nn.ModuleDict(objectives), balancer
        self.schedule, self.optimizer, self.rates = schedule, optimizer, checked(rates)
        self.drop, self.mixup, self.seed = drop, checked_mixup(mixup, model, tasks), seed
        self.penalty, self.weights = checked_penalty(penalty), weights(model, self.objectives)
        self.augment = Parts(augment)
        self.parts = LearningParts(model, self.objectives, balancer)
        self.parts.check_learns(tasks)
        self.parts.still(schedule(0, 0).frozen)
        self.phase: Phase | None = None  # that the parts were last set to
        self.hears: Collection[str] | None = None  # the modalities to predict from; None: all
        self.sums: dict[tuple[str, ...], Tensor] = {}  # (K,) over the epoch's rows, of losses that came together
        self.rows = 0
        self.heard: dict[str | None, list[dict[str, Units]]] = {}  # of the validation rows, by view; None: the whole
        self.costs: list[tuple[Losses, int]] = []  # of the validation rows
        self.figures: dict[str, float] = {}  # of the epoch
        self.kept: dict[str, Tensor] = {}  # buffers that this rank had for itself when it was stopped

    def setup(self, stage: str) -> None:
        """What may learn in any phase is told to learn until the first step: DDP looks only once what it averages."""
        for p in (p for parameters in self.parts.parameters.values() for p in parameters) if here().ranks > 1 else ():
            p.requires_grad_(True)

    def on_train_start(self) -> None:
        with torch.no_grad():
            for name, buffer in self.kept.items():  # which all ranks had from the first until here
                self.get_buffer(name).copy_(buffer)
        self.kept = {}
        if self.trainer.fit_loop.restarted_mid_epoch:  # no epoch starts, but parts need to be told of it all the same
            kept = {name: value.clone() for name, value in self.state_dict().items() if isinstance(value, Tensor)}
            self.begin_epoch(self.current_epoch)
            self.load_state_dict(kept, strict=False)  # what a part learned as the epoch began, it has learned already

    def on_train_epoch_start(self) -> None:
        self.sums, self.rows = {}, 0
        self.begin_epoch(self.current_epoch)

    def begin_epoch(self, epoch: int) -> None:
        self.phase = None
        self.parts.at_epoch(epoch)
        for part in (*self.model.modules(), *self.objectives.values()):
            if isinstance(part, Fusion | Objective):
                part.at_epoch(epoch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The place: the epoch, and how many of its batches have been trained on; sums and rows: its losses so far."""
        loop = self.trainer.fit_loop
        ended = loop.epoch_progress.current.processed > loop.epoch_progress.current.completed
        done = 0 if ended else loop.epoch_loop.batch_progress.current.ready
        checkpoint["place"] = (loop.epoch_progress.current.processed, done)
        own = {"sums": [(list(names), sums.cpu()) for names, sums in self.sums.items()], "rows": self.rows}
        checkpoint["ranks"] = gathered(own | {"buffers": own_buffers(self) if here().ranks > 1 else {}})

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if here().rank < len(checkpoint["ranks"]):
            own = checkpoint["ranks"][here().rank]
            self.sums = {tuple(names): sums.to(self.device) for names, sums in own["sums"]}
            self.rows = own["rows"]
            self.kept = own["buffers"]

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # Chance is a function of seed, epoch and batch, and keeps no state: a resumed run throws the same dice.
        own = (here().rank + 1,) if here().ranks > 1 else ()
        seed_all(mixed(self.seed, self.current_epoch, batch_idx, *own), self.device)
        phase = self.schedule(self.current_epoch, self.global_step)
        if phase != self.phase:
            if phase.rates and not self.schedule.by_part:
                raise ValueError(f"{type(self.schedule).__name__} gives parts rates of their own, but by_part is False")
            self.parts.still(phase.frozen)
            self.phase = phase
        if phase.rates or self.rates != STEADY:
            steps = float(self.trainer.estimated_stepping_batches)
            self.rates.set(self.optimizers(use_pl_optimizer=False), self.global_step, steps, phase.rates)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Batches are made on the CPU; to look through one for what has to move takes as long as a small layer."""
        return batch if device.type == "cpu" else super().transfer_batch_to_device(batch, device, dataloader_idx)

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        total, losses, encoded = self.lesson(batch, self.current_epoch, batch_idx)
        each = torch.stack([loss.detach() for loss in losses.values()])  # (K,)
        found, told = torch.stack([total.detach(), each.sum()]).tolist()  # the one time a step waits for the device
        if not (isfinite(found) and isfinite(told)):
            raise self.diverged(losses, batch, encoded, self.global_step, self.current_epoch, batch_idx)
        self.count(tuple(losses), each, len(batch.rows))
        return {"loss": total, "told": told}

    def lesson(self, batch: Batch, epoch: int, number: int) -> tuple[Float[Tensor, ""], Losses, Signals]:
        """What the phase learns from an epoch's batch of this number: a loss, its parts, and what was encoded."""
        assert self.phase is not None
        signals = {m: self.augment[m](s) if m in self.augment else s for m, s in batch.signals.items()}
        encoded = self.model.encode(masks.drop(signals, self.drop) if self.drop else signals)
        mix = drawn(encoded, self.mixup) if self.mixup else None
        encoded = mix.signals(encoded) if mix else encoded
        used = {m for m in encoded if matches(m, self.phase.modalities)}
        outputs = self.model.outputs(only(encoded, used), encoded)
        losses = self.losses(outputs, batch)
        if mix:
            losses = mix.losses(losses, self.losses(outputs, mix.batch(batch)))
        losses = {n: loss for n, loss in losses.items() if matches(n, self.phase.losses)}
        rivals = losses if here().ranks == 1 else self.of_all_ranks(losses, batch, number)
        step = Step(rivals, outputs, batch, self.tasks, self.parts.learning, epoch)
        total = self.balancer(step)
        if penalties := self.penalty.of(self.weights):  # which are no rivals of the losses, to be balanced with them
            total = total + torch.stack(list(penalties.values())).sum()
            losses = losses | penalties
        return total, losses, encoded

    def diverged(
        self, losses: Losses, batch: Batch, encoded: Signals, step: int, epoch: int, number: int
    ) -> TrainingError:
        place = f"step {step} (epoch {epoch}, batch {number})"
        return diverged(losses, batch, encoded, self.parts.parameters, place)

    def of_all_ranks(self, losses: Losses, batch: Batch, batch_idx: int) -> Losses:
        """Losses whose mean over ranks is that over the rows of all; some are of all rows already.

        What is drawn from here on is drawn alike by all ranks: they take one step together.
        """
        joint = [part for part in self.objectives.values() if isinstance(part, Objective) and part.joins]
        whole = {name for objective in joint for name in objective.names}
        share = weight(len(batch.rows)).to(self.device)
        seed_all(mixed(self.seed, self.current_epoch, batch_idx), self.device)
        return {name: loss if name in whole else loss * share for name, loss in losses.items()}

    def count(self, names: tuple[str, ...], each: Float[Tensor, " K"], rows: int) -> None:
        if names in self.sums:
            self.sums[names].add_(each, alpha=rows)
        else:
            self.sums[names] = each * rows
        self.rows += rows

    def losses(self, outputs: Outputs, batch: Batch) -> Losses:
        losses = losses_of(self.tasks, outputs, batch)
        for objective in self.objectives.values():
            losses |= objective(outputs, batch)
        return losses

    def on_validation_epoch_start(self) -> None:
        even_statistics(self.model)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        if here().ranks > 1 and batch_idx >= own_batches(
            self.trainer.val_dataloaders
        ):  # nothing of it is to reach other ranks' rows
            absent = {m: Signal(s.data, torch.zeros_like(s.mask)) for m, s in batch.signals.items()}
            batch = batch._replace(signals=absent)
        outputs = self.model(batch.signals)
        self.hear(None, outputs.predictions, batch.targets)
        for view, modalities in self.schedule.views.items():
            self.hear(view, outputs.predict(only(outputs.encoded, modalities)), batch.targets)
        self.costs.append((self.losses(outputs, batch), len(batch.rows)))

    def hear(self, view: str | None, said: Predictions, targets: Mapping[str, Tensor]) -> None:
        self.heard.setdefault(view, []).append(self.units(said, targets))

    def units(self, predictions: Predictions, targets: Mapping[str, Tensor]) -> dict[str, Units]:
        """What each task is scored by, on the CPU."""
        found = {n: task.units(predictions[n], targets[n]) for n, task in self.tasks.items()}
        return {n: Units(u.prediction.float().cpu(), u.target.cpu(), u.place.cpu()) for n, u in found.items()}

    def on_validation_epoch_end(self) -> None:
        self.judge(self.trainer.val_dataloaders if here().ranks > 1 else None)
        # What early stopping and checkpoints look at. To log thirty figures one by one takes as long as a dozen steps.
        self.trainer.callback_metrics.update({name: torch.tensor(value) for name, value in self.figures.items()})

    def judge(self, rows: DataLoader[Batch] | None = None) -> None:
        """The figures of what has been heard."""
        self.figures = {}
        for view, heard in self.heard.items():
            everything = in_turn(heard, rows)
            units = {n: joined([each[n] for each in everything]) for n in self.tasks}
            self.figures |= scores(self.tasks, units, view)
        costs = in_turn([({n: float(loss) for n, loss in losses.items()}, size) for losses, size in self.costs], rows)
        sizes = [size for _, size in costs]
        for name in costs[0][0]:
            each = [losses[name] for losses, _ in costs]
            self.figures[f"val/loss/{name}"] = float(np.average(each, weights=sizes))
        self.figures["val/loss"] = sum(v for n, v in self.figures.items() if n.startswith("val/loss/"))
        self.heard.clear()
        self.costs.clear()

    def on_train_epoch_end(self) -> None:
        self.end_epoch(self.current_epoch)

    def end_epoch(self, epoch: int) -> None:
        val = {n.removeprefix("val/loss/"): v for n, v in self.figures.items() if n.startswith("val/loss/")}
        self.balancer.end_epoch(epoch, self.mean_losses(), val)

    def mean_losses(self) -> dict[str, float]:
        """Over the training rows of the epoch."""
        each = gathered(([(names, sums.tolist()) for names, sums in self.sums.items()], self.rows))  # by rank
        means, seen = dict[str, float](), max(sum(rows for _, rows in each), 1)
        for names, sums in (together for parts, _ in each for together in parts):
            for name, total in zip(names, sums, strict=True):
                means[name] = means.get(name, 0.0) + total / seen
        return means

    def epoch_figures(self) -> dict[str, float]:
        """Losses over the training rows of the epoch that ends, and the scores of its validation."""
        losses = {f"train/loss/{name}": value for name, value in self.mean_losses().items()}
        return {"train/loss": sum(losses.values())} | losses | self.figures

    def predict_step(self, batch: Batch, _: int) -> dict[str, Units]:
        """By task; the places are rows of the data set."""
        encoded = self.model.encode(batch.signals)
        heard = encoded if self.hears is None else masks.keep(encoded, self.hears)
        found = self.units(self.model.predict(heard), batch.targets)
        return {task: units._replace(place=batch.rows.cpu()[units.place]) for task, units in found.items()}

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: torch.optim.Optimizer) -> None:
        """What `optimizer.zero_grad` does, without the profiler's and the compiler's wrappers around it."""
        for group in optimizer.param_groups:
            for p in group["params"]:
                p.grad = None

    def configure_optimizers(self) -> torch.optim.Optimizer:
        optimizer = fused(self.optimizer(params=groups(self.parts, self.balancer, self.schedule.by_part)))
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
        return optimizer


def only(encoded: Signals, modalities: Collection[str]) -> Signals:
    return encoded if len(modalities) == len(encoded) else masks.keep(encoded, modalities)


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    return "*" in patterns or any(fnmatch(name, pattern) for pattern in patterns)
