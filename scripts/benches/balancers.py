"""What those balancers need that take gradients apart, in backward passes of the plain sum; and a step under OGM-GE.

CPU time, one thread. PCGrad makes exactly one pass for each loss, and on small models some of its own arithmetic shows.
"""

import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from benches.row import Row
from benches.step_models import NAMES, SETTINGS, TASKS
from benches.steps import TURNS, through_learner
from mmfuse.balance.cagrad import CAGrad
from mmfuse.balance.gradnorm import GradNorm
from mmfuse.balance.mgda import MGDA
from mmfuse.balance.ogm_ge import OgmGe
from mmfuse.balance.pcgrad import PCGrad
from mmfuse.balance.plain import Plain
from mmfuse.tasks.losses import losses as losses_of
from mmfuse.types import Balancer, Batch, Model, Step


def rows() -> Iterator[Row]:
    yield from passes()
    yield from modulated()


def passes() -> Iterator[Row]:
    for name, setting in SETTINGS.items():
        model, batch = setting.model().train(), next(iter(setting.rows()))
        parts = {n: [p for part in ps for p in part.parameters()] for n, ps in model.parts().items()}
        balancers: dict[str, Balancer] = {
            "plain": Plain(NAMES),
            "pcgrad": PCGrad(NAMES),
            "cagrad": CAGrad(NAMES),
            "mgda": MGDA(NAMES),
            "gradnorm": GradNorm(NAMES),
        }
        took: dict[str, list[float]] = {b: [] for b in balancers}
        for turn in range(60):
            for b, balancer in balancers.items():
                seconds = backward(model, parts, batch, balancer)
                if turn > 4:
                    took[b].append(seconds)
        for b in balancers:
            if b != "plain":
                goal = ("<", len(NAMES) + 0.5) if b == "pcgrad" else None
                unit = "ms, all that follows the losses, against the plain sum's backward pass; 3 losses"
                yield Row(f"{b}, two {name}", 1e3 * median(took[b]), 1e3 * median(took["plain"]), goal, unit)


def modulated() -> Iterator[Row]:
    """OGM-GE has the model say what each modality alone would, at every step."""
    for name, setting in SETTINGS.items():
        took: dict[str, list[float]] = {"plain": [], "ogm_ge": []}
        for _ in range(TURNS):
            took["plain"] += through_learner(setting, Plain(NAMES))
            took["ogm_ge"] += through_learner(setting, OgmGe(TASKS))
        ours, rival = 1e3 * median(took["ogm_ge"]), 1e3 * median(took["plain"])
        yield Row(f"a step under ogm_ge, two {name}", ours, rival, ("<", 1.25), "ms, against plain's")


def backward(model: Model, parts: dict[str, Any], batch: Batch, balancer: Balancer) -> float:
    outputs = model(batch.signals)
    step = Step(losses_of(TASKS, outputs, batch), outputs, batch, TASKS, parts, 0)
    model.zero_grad()
    start = time.process_time()
    balancer(step).backward()
    return time.process_time() - start
