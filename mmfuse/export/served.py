"""A trained model as others are to run it: prepared tensors in by name, each task's answer out by name."""

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from inspect import Parameter, Signature
from typing import Any

from torch import Tensor, nn

from mmfuse import masks
from mmfuse.stepwise import Stepwise
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.multilabel import Multilabel
from mmfuse.tasks.regression import Regression
from mmfuse.types import Model, Signal, Signals, Task


class Served(nn.Module):
    def __init__(
        self, model: Model, tasks: Mapping[str, Task], hears: Collection[str] | None, temperatures: Mapping[str, float]
    ):
        """`hears` are the modalities that are listened to, None for all; `temperatures` divide a task's logits."""
        super().__init__()
        self.model, self.tasks, self.hears, self.temperatures = exportable(model), tasks, hears, temperatures
        self.modalities = tuple(model.encoders)
        self.forward = named(self.said, [name for m in self.modalities for name in (m, f"{m}_mask")])

    def said(self, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`<modality>` (B, T, ...) and `<modality>_mask` (B, T) of each -> by task (B, K), (B, T, K) or (B,)."""
        encoded = self.model.encode(signals(given, self.modalities))
        said = self.model.predict(encoded if self.hears is None else masks.keep(encoded, self.hears))
        return {t: answer(task, said[t] / self.temperatures.get(t, 1.0)) for t, task in self.tasks.items()}


def named(function: Callable[[dict[str, Tensor]], Any], names: Sequence[str]) -> Callable[..., Any]:
    """The function, with an argument by each name: `torch.export` knows inputs by the names of arguments."""

    def call(*values: Tensor, **others: Tensor) -> Any:
        return function(dict(zip(names, values, strict=False)) | others)

    call.__signature__ = Signature([Parameter(n, Parameter.POSITIONAL_OR_KEYWORD) for n in names])  # type: ignore
    return call


def signals(given: Mapping[str, Tensor], modalities: Collection[str]) -> Signals:
    return {m: Signal(given[m], given[f"{m}_mask"]) for m in modalities}


def answer(task: Task, said: Tensor) -> Tensor:
    """What `Task.answer` makes of a prediction, in the model's own precision: probabilities, values or codes."""
    if isinstance(task, Multiclass):
        return said.softmax(dim=-1)
    if isinstance(task, Multilabel):
        return said.sigmoid()
    return said[:, 0] * task.std + task.mean if isinstance(task, Regression) else said


def exportable(model: Model) -> Model:
    """A copy, in which what stands in for recurrent networks can be exported."""
    copied = copy.deepcopy(model).eval()
    for part in list(copied.modules()):
        for name, inner in list(part.named_children()):
            if isinstance(inner, nn.LSTM | nn.GRU) and not isinstance(part, Stepwise):
                setattr(part, name, Stepwise(inner))
    return copied
