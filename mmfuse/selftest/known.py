"""Data of two modalities whose answer is known, which tell fusions apart.

a and b are standard normal in 8 dimensions, s_a and s_b how far each reaches along (1, ..., 1) / sqrt(8).
additive: s_a + s_b > 0. Each modality says half of it, and adding up what they say is enough.
xor: s_a s_b > 0. Neither says anything alone; only a fusion in which they interact can tell.
unique: s_a > 0. All is in a, and b is noise.
redundant: s_a > 0, and b has been moved to reach as far as a: both say all of it.

No sum f(a) + g(b) is right on xor: over the four quadrants its values add up to the same along either diagonal, and
would have to be above zero on one and below on the other. Chance is .5.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from mmfuse.tasks.multiclass import Multiclass
from mmfuse.types import Fused, Fusion, Losses, Signal, Signals

DIM, TRAIN, TEST = 8, 2000, 500
TASKS = ("additive", "xor", "unique", "redundant")
EPOCHS, BATCH, RATE = 40, 250, 1e-2
TASK = Multiclass(["no", "yes"])


class Rows(NamedTuple):
    a: Float[Tensor, "N D"]
    b: Float[Tensor, "N D"]
    answer: Bool[Tensor, " N"]

    def signals(self, rows: slice) -> Signals:
        return {"a": alone(self.a[rows]), "b": alone(self.b[rows])}


def alone(data: Float[Tensor, "B D"]) -> Signal:
    return Signal.vector(data, torch.ones(len(data), dtype=torch.bool))


def rows(task: str, seed: int = 0) -> Rows:
    """TRAIN rows and then TEST rows."""
    dice = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, TRAIN + TEST, DIM, generator=dice)
    along = torch.full((DIM,), DIM**-0.5)
    reach_a, reach_b = a @ along, b @ along  # (N,)
    if task == "redundant":
        b = b + (reach_a - reach_b)[:, None] * along
    answers = {"additive": reach_a + reach_b > 0, "xor": reach_a * reach_b > 0}
    return Rows(a, b, answers.get(task, reach_a > 0))


class Learning(nn.Module):
    """A fusion under a linear layer; or, of one that takes decisions, on each modality's own."""

    def __init__(self, make: Callable[[dict[str, int]], Fusion]):
        super().__init__()
        self.own: nn.ModuleDict | None = None
        self.fusion = make({"a": DIM, "b": DIM})
        if self.fusion.decides:
            self.fusion = make({"a": 2, "b": 2})
            self.own = nn.ModuleDict({m: nn.Linear(DIM, 2) for m in "ab"})
        else:
            self.head = nn.Linear(self.fusion.dim, 2)

    def forward(self, signals: Signals) -> Float[Tensor, "B 2"]:
        """Logits."""
        return self.read(signals)[0]

    def losses(self, rows: Rows, which: Int[Tensor, " B"]) -> Losses:
        """The answer's, and the fusion's own."""
        said, fused = self.read(rows.signals(slice(None)))
        losses = {"task": TASK.loss(said, rows.answer.long()), **fused.losses}
        return losses if fused.lesson is None else {**losses, **fused.lesson(TASK, rows.answer.long(), which)}

    def read(self, signals: Signals) -> tuple[Float[Tensor, "B 2"], Fused]:
        if self.own is not None:
            signals = {m: Signal.vector(self.own[m](s.pooled()), s.present) for m, s in signals.items()}
        fused = self.fusion.fuse(signals)
        said = fused.signal.pooled()
        return said if self.own is not None else self.head(said), fused


def accuracy(make: Callable[[dict[str, int]], Fusion], task: str, seed: int = 0) -> float:
    """Trained on the task's rows, on others like them."""
    known = rows(task, seed)
    torch.manual_seed(seed)
    learning = Learning(make).train()
    optimizer = torch.optim.Adam(learning.parameters(), lr=RATE)
    falling = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=EPOCHS * TRAIN // BATCH)
    for epoch in range(EPOCHS):
        learning.fusion.at_epoch(epoch)
        for batch in torch.randperm(TRAIN).split(BATCH):
            losses = learning.losses(Rows(*(part[batch] for part in known)), batch)
            optimizer.zero_grad()
            torch.stack(list(losses.values())).sum().backward()
            optimizer.step()
            falling.step()
    learning.eval()
    with torch.no_grad():
        said = learning(known.signals(slice(TRAIN, None)))
    return float((said.argmax(dim=1) == known.answer[TRAIN:]).float().mean())
