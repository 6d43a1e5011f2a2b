"""Many small trainings as one: runs that differ in seed or in floats go through one model, stacked by torch.func.

Each lane has its own weights, rows, dice, rates, patience and end, so that its figures are those of its lone run, up to
how numbers are rounded. For small models time goes by the number of operations, and a stack has no more of them than
one run. Where a model cannot be stacked, or the first step is not that of a lone run, `UnstackableError` is raised
before anything is trained.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from math import isfinite
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vmap

from mmfuse.data.batches import Held
from mmfuse.data.order import Order
from mmfuse.learner.chances import Draw, Given, Noted, drawn
from mmfuse.learner.flat import Flat
from mmfuse.learner.folded import even, first_rows, folded, of_lane
from mmfuse.learner.lane import Course, Lane
from mmfuse.learner.learner import Learner
from mmfuse.learner.leveled import UnstackableError, changed, numbers, put, tensors
from mmfuse.learner.rates import STEADY
from mmfuse.learner.seeding import mixed, seed_all
from mmfuse.types import Batch, Losses, Predictions

CLOSE = 1e-4  # of what the first step is, relatively: beyond it the stack does not do what lone runs do


class Asked(nn.Module):
    """What `functional_call` calls of a learner."""

    def __init__(self, learner: Learner):
        super().__init__()
        self.learner = learner
        self.names = list[str]()  # of the losses

    def forward(self, batch: Batch, place: tuple[int, int] | None) -> Any:
        """What is learned from an epoch's batch, and its losses; without a place, what is said of it, and its cost."""
        if place is not None:
            total, losses, _ = self.learner.lesson(batch, *place)
            self.names = list(losses)
            return total, torch.stack([loss.detach() for loss in losses.values()])
        outputs = self.learner.model(batch.signals)
        return outputs.predictions, self.learner.losses(outputs, batch)


class Together:
    def __init__(self, lanes: Sequence[Lane], epochs: int):
        """At most so many `epochs`; -1: until each has stopped."""
        self.lanes, self.epochs = list(lanes), epochs
        self.courses = [Course(lane.patience) for lane in lanes]
        self.going = list(range(len(lanes)))  # which lane each row is of
        self.draws = dict[tuple[int, int], list[Draw]]()  # by lane and rows a batch
        for lane in lanes:
            for rows in (lane.train, lane.val):
                if not isinstance(rows, Held) or not even(rows.dataset):
                    raise UnstackableError("its rows are not in memory, or not all of one size")
        if len({len(lane.train) for lane in lanes}) > 1:
            raise UnstackableError("their epochs have not as many steps")
        self.steps = len(lanes[0].train)
        for lane in lanes:
            lane.learner.train()
            lane.learner.begin_epoch(0)
            lane.learner.phase = lane.learner.schedule(0, 0)
            lane.learner.parts.still(lane.learner.phase.frozen)
        self.flat = Flat([lane.learner for lane in lanes])
        self.asked = Asked(lanes[0].learner)
        self.about = numbers([self.parts_of(lane.learner) for lane in lanes])

    def parts_of(self, learner: Learner) -> nn.ModuleList:
        return nn.ModuleList([learner.model, learner.objectives, learner.balancer])

    # ---- the whole

    def run(self) -> list[Course]:
        self.rehearse()
        for epoch in count() if self.epochs < 0 else range(self.epochs):
            if not self.going:
                break
            began = time.perf_counter()
            self.train(epoch)
            self.judge(epoch, began)
            self.part()
        return self.courses

    def train(self, epoch: int) -> None:
        learners = [self.lanes[lane].learner for lane in self.going]
        sums, rows = torch.zeros(()), 0
        for learner in learners:
            learner.train()
            learner.begin_epoch(epoch)
            learner.phase = learner.schedule(epoch, epoch * self.steps)
            learner.parts.still(learner.phase.frozen)
        self.about = numbers([self.parts_of(learner) for learner in learners])
        for number, batch in enumerate(self.batches(epoch)):
            totals, each, gradient = self.lesson(epoch, number, batch)
            told, size = each.sum(dim=1), batch.rows.shape[1]
            self.refuse_lost(epoch, number, batch, (totals + told).tolist())
            self.set_rates(epoch * self.steps + number)
            self.flat.step(gradient, [self.lanes[lane].clip for lane in self.going])
            sums, rows = sums + each * size, rows + size
            for lane, loss in zip(self.going, told.tolist(), strict=True):
                self.lanes[lane].listener.step(number + 1, size, loss)
        for learner, own in zip(learners, sums, strict=True):
            learner.sums, learner.rows = {tuple(self.asked.names): own}, rows

    def judge(self, epoch: int, began: float) -> None:
        self.validate()
        for k, lane in enumerate(self.going):
            learner, course = self.lanes[lane].learner, self.courses[lane]
            if course.error is not None:
                continue
            learner.judge()
            learner.end_epoch(epoch)
            place = {"epoch": epoch, "step": (epoch + 1) * self.steps}
            seconds = {"seconds": round(time.perf_counter() - began, 3)}
            row = place | learner.epoch_figures() | seconds
            if course.judge(row):
                course.weights = self.flat.weights(k, learner)
                course.place = {"epoch": epoch, "global_step": place["step"]}
            self.lanes[lane].listener.epoch(row)

    def part(self) -> None:
        """Lanes that have stopped stay as they are."""
        stay = [k for k, lane in enumerate(self.going) if not (self.courses[lane].stopped or self.courses[lane].error)]
        if len(stay) < len(self.going):
            self.going = [self.going[k] for k in stay]
            if stay:
                self.flat.keep(stay)
                self.asked = Asked(self.lanes[self.going[0]].learner)

    # ---- a step

    def batches(self, epoch: int) -> Iterator[Batch]:
        """At each step one of each lane, (K, B, ...): all their rows are gathered at once."""
        orders, rows = [self.lanes[lane].train.sampler for lane in self.going], self.lanes[0].train.dataset
        for order in orders:
            assert isinstance(order, Order)
            order.set_epoch(epoch)
        for each in zip(*orders, strict=True):
            yield folded(rows[np.concatenate(each)], len(each))

    def lesson(
        self, epoch: int, number: int, batch: Batch
    ) -> tuple[Float[Tensor, " K"], Float[Tensor, "K L"], Float[Tensor, "K P"]]:
        """What each lane learns from, its losses, and its slope."""

        def one(row: Tensor, held: dict[str, Tensor], batch: Batch, own: list[Tensor], chance: list[Tensor]) -> Any:
            return self.call(row, held, batch, (epoch, number), own, chance)

        together = vmap(one)
        totals, each = together(
            self.flat.rows,
            self.flat.held,
            batch,
            tensors(self.about),
            self.chances(epoch, number, batch.rows.shape[1]),
        )
        (gradient,) = torch.autograd.grad(totals.sum(), self.flat.rows)
        return totals.detach(), each, gradient

    def call(
        self,
        row: Tensor,
        held: dict[str, Tensor],
        batch: Batch,
        place: tuple[int, int] | None,
        own: list[Tensor],
        chance: list[Tensor],
    ) -> Any:
        values = {f"learner.{name}": value for name, value in (self.flat.parameters(row) | held).items()}
        with ExitStack() as within:
            if self.about:
                within.enter_context(put(self.parts_of(self.asked.learner), self.about, own))
            if chance or self.about:
                within.enter_context(Given(chance))
            return functional_call(self.asked, values, (batch, place))

    def chances(self, epoch: int, number: int, rows: int) -> list[Tensor]:
        """What the lanes draw in this step, (K, ...) each."""
        if not self.draws[self.going[0], rows]:
            return []
        each = []
        for lane in self.going:
            dice = torch.Generator().manual_seed(mixed(self.lanes[lane].learner.seed, epoch, number))
            each.append(drawn(self.draws[lane, rows], dice))
        return [torch.stack(list(parts)) for parts in zip(*each, strict=True)]

    def set_rates(self, step: int) -> None:
        steps = float(self.steps * self.epochs) if self.epochs > 0 else torch.inf
        for k, lane in enumerate(self.going):
            rates = self.lanes[lane].learner.rates
            if rates != STEADY:
                rates.set(self.flat.optimizers[k], step, steps, {})

    def refuse_lost(self, epoch: int, number: int, batch: Batch, found: Sequence[float]) -> None:
        """A lane whose loss is not a number ends as its lone run would; its row is passed over from here on."""
        for k, (lane, value) in enumerate(zip(self.going, found, strict=True)):
            course = self.courses[lane]
            if isfinite(value) or course.error is not None:
                continue
            learner = self.lanes[lane].learner
            own = of_lane(batch, k)
            with torch.no_grad():
                learner.load_state_dict(self.flat.weights(k, learner))
                _, losses, encoded = self.alone(lane, epoch, number, own)
            course.error = learner.diverged(losses, own, encoded, epoch * self.steps + number, epoch, number)

    # ---- validation

    def validate(self) -> None:
        """The same rows for all."""
        learners = [self.lanes[lane].learner for lane in self.going]
        first = learners[0]
        modes = [(part, part.training) for part in first.modules()]
        first.eval()

        def one(row: Tensor, held: dict[str, Tensor], own: list[Tensor], batch: Batch) -> Any:
            return self.call(row, held, batch, None, own, [])

        together = vmap(one, in_dims=(0, 0, 0, None))
        said, targets = dict[str, list[Tensor]](), dict[str, list[Tensor]]()
        with torch.no_grad():
            for batch in self.lanes[self.going[0]].val:
                answers, losses = together(self.flat.rows, self.flat.held, tensors(self.about), batch)
                for task, answer in answers.items():
                    said.setdefault(task, []).append(answer)
                    targets.setdefault(task, []).append(batch.targets[task])
                costs = torch.stack(list(losses.values()), dim=1)  # (K, L)
                for learner, each in zip(learners, costs, strict=True):
                    learner.costs.append((dict(zip(losses, each, strict=True)), len(batch.rows)))
        together_said = {task: torch.cat(parts, dim=1) for task, parts in said.items()}  # (K, N, ...)
        true = {task: torch.cat(parts) for task, parts in targets.items()}
        for k, learner in enumerate(learners):
            own: Predictions = {task: values[k] for task, values in together_said.items()}
            learner.hear(None, own, true)
        for part, training in modes:
            part.training = training

    # ---- whether it may be

    def rehearse(self) -> None:
        """The first step, of each lane by itself and of all together: `UnstackableError` where that is not the same."""
        first = next(iter(self.batches(0)))
        wanted = [self.rehearsed(lane, of_lane(first, k)) for k, lane in enumerate(self.going)]
        try:
            totals, _, gradient = self.lesson(0, 0, first)
        except (RuntimeError, ValueError, TypeError, StopIteration) as error:
            raise UnstackableError(str(error).strip().split("\n")[0]) from error
        for k, (total, slope) in enumerate(wanted):
            near = torch.allclose(totals[k], total, rtol=CLOSE, atol=CLOSE)
            if not near or float((gradient[k] - slope).norm()) > CLOSE * float(slope.norm() + 1e-3):
                raise UnstackableError("its first step is not that of a lone run")
        try:
            self.validate()
        except (RuntimeError, ValueError, TypeError) as error:
            raise UnstackableError(str(error).strip().split("\n")[0]) from error
        for lane in self.lanes:
            lane.learner.heard.clear()
            lane.learner.costs.clear()

    def rehearsed(self, lane: int, batch: Batch) -> tuple[Tensor, Float[Tensor, " P"]]:
        learner = self.lanes[lane].learner
        before = {name: buffer.clone() for name, buffer in learner.named_buffers()}
        with Noted() as noted:
            total, _, _ = self.alone(lane, 0, 0, batch)
        of = dict(learner.named_parameters())
        slopes = torch.autograd.grad(total, [of[name] for name in self.flat.names], allow_unused=True)
        slope = torch.cat(
            [
                (of[name].new_zeros(of[name].shape) if s is None else s).reshape(-1)
                for name, s in zip(self.flat.names, slopes, strict=True)
            ]
        )
        if names := changed(before, learner):
            raise UnstackableError(f"it keeps {names[0]} from batch to batch")
        self.draws[lane, len(batch.rows)] = noted.draws
        order = self.lanes[lane].train.sampler
        assert isinstance(order, Order)
        rest = len(order.rows) % len(batch.rows)
        if rest:
            with torch.no_grad(), Noted() as noted:
                self.alone(lane, 0, 0, first_rows(batch, rest))
            self.draws[lane, rest] = noted.draws
        return total.detach(), slope

    def alone(self, lane: int, epoch: int, number: int, batch: Batch) -> tuple[Tensor, Losses, Any]:
        """A lane's step by itself, as its lone run takes it."""
        learner = self.lanes[lane].learner
        seed_all(mixed(learner.seed, epoch, number), learner.device)
        return learner.lesson(batch, epoch, number)
