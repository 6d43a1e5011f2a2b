"""Distillation between modalities, where the model that hears several teaches the one that hears one.

T^2 KL(softmax(t / T) || softmax(s / T)), mean over rows, for every task of classes and every student modality,
"distillation/audio-digit"; t are the logits of the model that hears the teachers, which learns nothing by it, and s
those of the same model that hears the student only. Hinton, Vinyals and Dean, 2015, https://arxiv.org/abs/1503.02531;
from several modalities to one, Gupta, Hoffman and Malik, 2016, https://arxiv.org/abs/1507.00448. Their loss is (1 -
weight) times the student's own cross-entropy, which is objectives=[unimodal], and weight times this one.

The teacher is the model as it is at this step, dropout included; a teacher that was trained before, or its recorded
predictions, are not read. It needs no labels. It counts the rows that have the student and one of the teachers besides;
without any, it is 0.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mmfuse import masks
from mmfuse.objectives.pairs import checked, precise, several
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.types import Batch, Losses, Objective, Outputs, Task


class Distillation(Objective):
    def __init__(
        self,
        dims: Mapping[str, int],
        tasks: Mapping[str, Task],
        temperature: float = 4.0,
        student: str | None = None,
        teacher: Sequence[str] | None = None,
        weight: float = 0.5,
    ):
        """`student` is one modality, None for each in turn; `teacher` are those that teach it, None for all."""
        super().__init__()
        modalities = several(dims)
        if temperature <= 0:
            raise ValueError(f"temperature={temperature}: more than 0 is needed")
        if unknown := [m for m in (student, *(teacher or ())) if m is not None and m not in dims]:
            raise ValueError(f"there is no modality {unknown}; there are {modalities}")
        self.tasks = [t for t, task in tasks.items() if isinstance(task, Multiclass) and task.of is None]
        if not self.tasks:
            raise ValueError(f"a task of one class a row is needed, and there is none among {list(tasks)}")
        self.teachers = modalities if teacher is None else list(teacher)
        self.students = [m for m in ([student] if student else modalities) if set(self.teachers) - {m}]
        if not self.students:
            raise ValueError(f"student={student}, teacher={self.teachers}: none would learn from another")
        self.temperature, self.weight = temperature, checked(weight)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"distillation/{m}-{t}" for m in self.students for t in self.tasks)

    def forward(self, outputs: Outputs, batch: Batch) -> Losses:
        encoded = outputs.encoded
        with torch.no_grad():
            taught = outputs.predict(masks.keep(encoded, self.teachers))
        losses: Losses = {}
        for m in self.students:
            said = outputs.predict(masks.keep(encoded, {m}))
            besides = torch.stack([encoded[o].present for o in self.teachers if o != m]).any(dim=0)  # (B,)
            rows = encoded[m].present & besides
            for t in self.tasks:
                loss = divergence(precise(said[t][rows]), precise(taught[t][rows]), self.temperature)
                losses[f"distillation/{m}-{t}"] = self.weight * loss
        return losses


def divergence(student: Float[Tensor, "n c"], teacher: Float[Tensor, "n c"], temperature: float) -> Float[Tensor, ""]:
    """T^2 KL of logits, the teacher's from the student's.

    >>> round(divergence(torch.zeros(1, 2), torch.tensor([[3.0, 1.0]]).log(), 1.0).item(), 4)  # log 2 - 0.5623
    0.1308
    """
    said, taught = ((z / temperature).log_softmax(dim=1) for z in (student, teacher))  # (n, c)
    return temperature**2 * F.kl_div(said, taught, reduction="sum", log_target=True) / max(len(said), 1)
