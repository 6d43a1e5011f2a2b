"""Forward and backward of every fusion, against the same in plain torch with the same weights (rivals.py).

CPU time, one thread: 64 rows, three modalities of 128 features, of 50 steps where the method is one of steps, all of
them there; the masks are given, for a row may lack any, and both respect them. What small ones lose is that everything
here is a sequence, if of one step, and that they tell which rows have anything at all.
"""

import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

import rivals
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from benches.row import Row
from benches.timing import Again, in_turns
from mmfuse.config.catalog import Catalog
from mmfuse.types import Fused, Fusion, Signal


def rows(names: Collection[str] = ()) -> Iterator[Row]:
    for name in names or Catalog().options("fusion"):
        ours = fusion_of(name)
        runs = {"ours": learning(name, ours.fuse, ours)}
        if name in rivals.RIVALS:
            runs["rival"] = learning(name, rivals.rival_of(name, ours))
        rate = steps_a_second(runs)
        goal = (">=", 1.0) if "rival" in rate else None
        yield Row(f"{name}, against plain torch", rate["ours"], rate.get("rival"), goal, "steps/s")


def fusion_of(name: str) -> Fusion:
    """By its config's defaults."""
    torch.manual_seed(0)
    keys = OmegaConf.to_container(OmegaConf.load(Catalog().find("fusion", name)))
    part = instantiate(keys, _partial_=True, _convert_="object")
    return part(dims={f"m{k}": rivals.D for k in range(rivals.M)})


def learning(name: str, fuse: nn.Module | Callable[..., Any], ours: Fusion | None = None) -> Callable[[], None]:
    """One step, to the gradients of weights and of what encoders said: of `ours` by `fuse`, or of a rival."""
    steps = 50 if name in rivals.STEPS else 1
    shape = (64, rivals.D) if ours is None and steps == 1 else (64, steps, rivals.D)  # rivals take vectors as they are
    data = [torch.randn(shape, requires_grad=True) for _ in range(rivals.M)]
    masks = [torch.ones(64, steps, dtype=torch.bool) for _ in data]
    signals = {f"m{k}": Signal(*signal) for k, signal in enumerate(zip(data, masks, strict=True))}
    arguments = [data, masks] if ours is None else [signals]
    learned = [*data, *(fuse if ours is None else ours).parameters()]

    def step() -> None:
        said = fuse(*arguments)
        if isinstance(said, Fused):
            loss = said.signal.data.sum() + sum(said.losses.values())
        else:
            loss = said[0].sum() + said[1] if isinstance(said, tuple) else said.sum()
        loss.backward()
        for tensor in learned:
            tensor.grad = None

    return step


def steps_a_second(runs: dict[str, Callable[[], None]], seconds: float = 0.05) -> dict[str, float]:
    """Several steps at a time, in turns; the median of each, in CPU time."""
    first = next(iter(runs.values()))
    for run in runs.values():
        run()
    start = time.process_time()
    first()
    number = max(1, round(seconds / (time.process_time() - start)))
    many = {name: Again(lambda run=run: (run() for _ in range(number))) for name, run in runs.items()}
    return {name: number / took for name, took in in_turns(many, repeats=7).items()}
