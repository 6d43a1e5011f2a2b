"""Each modality learns every task by itself: a linear head of its own on what its encoder says.

Deep supervision of encoders (Lee et al., Deeply-Supervised Nets, AISTATS 2015,
https://proceedings.mlr.press/v38/lee15a.html). As the only losses of the first epochs (schedule=pretrain_finetune with
schedule.first=[heads/*]) it trains unimodal networks before the fusion, as bc-LSTM does (Poria et al., ACL 2017,
https://aclanthology.org/P17-1081). `unimodal` has no heads of its own and asks the whole model.

Of a task that labels the steps of a modality, every modality's steps are taken to be those steps.
"""

from collections.abc import Mapping

from torch import nn

from mmfuse import masks
from mmfuse.shown import shown
from mmfuse.types import Batch, Losses, Objective, Outputs, Parts, Task


class UnimodalHeads(Objective):
    def __init__(self, dims: Mapping[str, int], tasks: Mapping[str, Task], weight: float = 1.0):
        super().__init__()
        if weight < 0:
            raise ValueError(f"weight={weight}: at least 0 is needed")
        self.weight = weight
        self.tasks = {t: task for t, task in tasks.items() if not task.between}
        self.heads = Parts(
            {m: Parts({t: nn.Linear(d, task.size) for t, task in self.tasks.items()}) for m, d in dims.items()}
        )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"heads/{m}-{t}" for m in self.heads for t in self.tasks)

    def forward(self, outputs: Outputs, batch: Batch) -> Losses:
        losses: Losses = {}
        for m in self.heads:
            signal = outputs.encoded[m]
            for t, task in self.tasks.items():
                target = masks.labelled(batch.targets[t], signal.present)
                if task.of is None:
                    said = self.heads[m][t](signal.pooled())  # (B, K)
                else:
                    said = self.heads[m][t](shown(signal.data, signal.mask.unsqueeze(-1)))  # (B, T, K)
                losses[f"heads/{m}-{t}"] = self.weight * task.loss(said, target)
        return losses
