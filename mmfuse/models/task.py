"""Task-level fusion: every task has a view of its own of all modalities, and what is fused are the tasks.

Each task's view is relu(W_t [z_1; ...; z_M] + b_t), the modalities side by side and an absent one zeros. From it comes
a first answer of its own, which has a loss of its own ("own/<task>"). The fusion takes each task's view beside its
first answer, and the answers that count come from what it makes of them all: what one task found out serves the others
(Caruana, Multitask Learning, 1997, https://doi.org/10.1023/A:1007379606734; that answers feed answers is stacking,
Wolpert, 1992, https://doi.org/10.1016/S0893-6080(05)80023-1).
"""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from mmfuse.models.heads import head
from mmfuse.types import Completion, Encoder, Fusion, Model, Parts, Read, Signal, Signals, Task


class TaskFusion(Model):
    besides = ("own",)

    def __init__(
        self,
        encoders: Mapping[str, Encoder],
        tasks: Mapping[str, Task],
        fusion: Callable[..., Fusion],
        completion: Callable[..., Completion] = Completion,
        dim: int = 128,
        dropout: float = 0.1,
    ):
        """`dim` is the width of a task's view."""
        super().__init__(encoders, completion)
        if others := [t for t, task in tasks.items() if task.of is not None or task.between]:
            raise ValueError(f"whole rows have views, which the task '{others[0]}' is not about: model=feature")
        width = sum(self.completion.dims.values())
        self.views = Parts({t: nn.Sequential(nn.Linear(width, dim), nn.ReLU(), nn.Dropout(dropout)) for t in tasks})
        self.first = Parts({t: nn.Linear(dim, task.size) for t, task in tasks.items()})
        self.fusion = fusion(dims={t: dim + task.size for t, task in tasks.items()})
        if self.fusion.decides:
            raise ValueError(
                f"{type(self.fusion).__name__} fuses decisions among classes, not tasks' views: model=late"
            )
        self.heads = Parts({t: head(task, encoders, self.fusion.dim) for t, task in tasks.items()})

    def parts(self) -> dict[str, list[nn.Module]]:
        encoders = {m: [encoder] for m, encoder in self.encoders.items()}
        return {
            **encoders,
            "completion": [self.completion],
            "fusion": [self.fusion],
            "heads": [self.views, self.first, self.heads],
        }

    def read(self, encoded: Signals) -> Read:
        heard = self.completion(encoded)
        joined = torch.cat([signal.pooled() for signal in heard.values()], dim=1)  # (B, sum of D_m)
        present = torch.stack([signal.present for signal in heard.values()], dim=1).any(dim=1)  # (B,)
        views = {t: view(joined) for t, view in self.views.items()}  # (B, dim) each
        first = {t: self.first[t](view) for t, view in views.items()}  # (B, K) each
        tasks = {t: Signal.vector(torch.cat([views[t], first[t]], dim=1), present) for t in views}
        fused = self.fusion.fuse(tasks)
        predictions = {t: answer(fused.signal, encoded) for t, answer in self.heads.items()}
        return Read(predictions, fused.losses, {} if fused.weights is None else {"": fused.weights}, {"own": first})
