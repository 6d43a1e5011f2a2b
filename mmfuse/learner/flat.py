"""What many learners have, in one tensor each: a row of all that a lane learns, and what else its modules hold.

Rows are in the order of the optimizer's groups, so that a lane's own optimizer steps through a few long views of its
row, instead of many short tensors: for small models its time goes by their number.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from mmfuse.learner.learner import Learner
from mmfuse.learner.leveled import UnstackableError

ELEMENTWISE = (Adam, AdamW, SGD)  # which do to each number what they would do to it in any tensor


class Flat:
    def __init__(self, learners: Sequence[Learner]):
        first = learners[0]
        optimizers = [learner.configure_optimizers() for learner in learners]
        if type(optimizers[0]) not in ELEMENTWISE:
            raise UnstackableError(f"the optimizer is {type(optimizers[0]).__name__}")
        names = {p: name for name, p in first.named_parameters()}
        order = [p for group in optimizers[0].param_groups for p in group["params"]]
        self.names = [names[p] for p in order]
        self.shapes = [p.shape for p in order]
        self.sizes = [p.numel() for p in order]
        each = [dict(learner.named_parameters()) for learner in learners]
        if any(list(about) != list(each[0]) for about in each):
            raise UnstackableError("their models are not built alike")
        with torch.no_grad():
            self.rows = torch.stack([torch.cat([about[name].reshape(-1) for name in self.names]) for about in each])
            held = [{n: t for n, t in state(learner).items() if n not in set(self.names)} for learner in learners]
            self.held = {name: torch.stack([about[name] for about in held]) for name in held[0]}
        self.rows.requires_grad_(True)  # (K, P)
        self.optimizers = [
            stepping(learner, optimizer, row)
            for learner, optimizer, row in zip(learners, optimizers, self.rows.detach(), strict=True)
        ]

    def parameters(self, row: Float[Tensor, " P"]) -> dict[str, Tensor]:
        """By name, of one lane."""
        parts = row.split(self.sizes)
        return {n: part.view(shape) for n, part, shape in zip(self.names, parts, self.shapes, strict=True)}

    def weights(self, lane: int, learner: Learner) -> dict[str, Tensor]:
        """A copy of what the learner's state_dict would be."""
        own = self.parameters(self.rows[lane].detach())
        return {name: own.get(name, value).clone() for name, value in learner.state_dict().items()}

    def step(self, gradient: Float[Tensor, "K P"], largest: Sequence[float | None]) -> None:
        """`largest` is of each lane's norm, which is that of its tensors' norms, as torch has it; None: any."""
        for slope, most, optimizer in zip(gradient, largest, self.optimizers, strict=True):
            if most is not None:
                norm = torch.nn.utils.get_total_norm(slope.split(self.sizes))
                slope.mul_((most / (norm + 1e-6)).clamp(max=1.0))
            views = [group["params"][0] for group in optimizer.param_groups]
            for view, part in zip(views, slope.split([view.numel() for view in views]), strict=True):
                view.grad = part
            optimizer.step()

    def keep(self, lanes: Sequence[int]) -> None:
        """Only these lanes go on."""
        chosen = torch.tensor(list(lanes), dtype=torch.long, device=self.rows.device)
        self.rows = self.rows.detach()[chosen].requires_grad_(True)
        self.held = {name: values[chosen] for name, values in self.held.items()}
        self.optimizers = [self.optimizers[lane] for lane in lanes]
        for optimizer, row in zip(self.optimizers, self.rows.detach(), strict=True):
            moved(optimizer, row)


def state(learner: Learner) -> Mapping[str, Tensor]:
    return {**dict(learner.named_parameters()), **dict(learner.named_buffers())}


def stepping(learner: Learner, optimizer: Optimizer, row: Float[Tensor, " P"]) -> Optimizer:
    """The learner's optimizer, for views of its row."""
    groups = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    views = row.split([sum(p.numel() for p in group["params"]) for group in optimizer.param_groups])
    make: Callable[..., Any] = learner.optimizer
    made: Optimizer = make(
        params=[{**about, "params": [view.requires_grad_(True)]} for about, view in zip(groups, views, strict=True)]
    )
    return made


def moved(optimizer: Optimizer, row: Float[Tensor, " P"]) -> None:
    """It goes on with the same numbers, which lie elsewhere now."""
    before = [group["params"][0] for group in optimizer.param_groups]
    for group, old, view in zip(optimizer.param_groups, before, row.split([p.numel() for p in before]), strict=True):
        group["params"] = [view.requires_grad_(True)]
        if old in optimizer.state:
            optimizer.state[view] = optimizer.state.pop(old)
