"""What each modality gets wrong by itself: every task's loss on what the model says when it hears that one alone.

The strongest cheap remedy where one modality learns and the others idle (Wei and Hu, MMPareto, ICML 2024,
https://arxiv.org/abs/2405.17730, whose plain comparison it is). It asks the model itself, the others masked, so that it
works with every fusion and adds no parameter.
"""

from collections.abc import Mapping

from mmfuse import masks
from mmfuse.types import Batch, Losses, Objective, Outputs, Task


class Unimodal(Objective):
    def __init__(self, dims: Mapping[str, int], tasks: Mapping[str, Task], weight: float = 1.0):
        super().__init__()
        if weight < 0:
            raise ValueError(f"weight={weight}: at least 0 is needed")
        self.modalities, self.weight = list(dims), weight
        self.tasks = {t: task for t, task in tasks.items() if not task.between}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"unimodal/{m}-{t}" for m in self.modalities for t in self.tasks)

    def forward(self, outputs: Outputs, batch: Batch) -> Losses:
        losses: Losses = {}
        for m in self.modalities:
            said = outputs.predict(masks.keep(outputs.encoded, {m}))
            for t, task in self.tasks.items():
                target = masks.labelled(batch.targets[t], outputs.encoded[m].present)
                losses[f"unimodal/{m}-{t}"] = self.weight * task.loss(said[t], target)
        return losses
