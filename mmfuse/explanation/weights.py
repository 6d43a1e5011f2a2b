"""How much of each modality a fusion hears, row by row: the weights that it hands out, or its gates.

A gated fusion has a gate for each feature. What is shown is a modality's mean gate, as a share of those of the
modalities that a row has. What a modality says behind its gate may be loud or quiet, which a gate does not tell.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmfuse.fusion.gated import GatedFusion
from mmfuse.fusion.vectors import side_by_side
from mmfuse.models.task import TaskFusion
from mmfuse.types import Model, Signals, Weights


def weights(model: Model, encoded: Signals) -> Weights:
    """By task, or by "" for all of them: (B, M), 0 where a modality is absent, 1 in sum. Empty where there are none."""
    if isinstance(model, TaskFusion):  # which weighs tasks
        return {}
    with torch.no_grad(), gates_of(model) as gates:
        handed = model.read(encoded).weights
    return handed or gates


@contextmanager
def gates_of(model: Model) -> Iterator[dict[str, Float[Tensor, "B M"]]]:
    """Filled while the model reads: by task, where each task has a fusion of its own, or by ""."""
    found: dict[str, Tensor] = {}

    def keep(name: str, fusion: GatedFusion) -> None:
        def hook(module: nn.Module, given: tuple[Signals]) -> None:
            found[name] = gate_shares(fusion, given[0])

        hooks.callback(fusion.register_forward_pre_hook(hook).remove)

    with ExitStack() as hooks:
        for name, part in model.named_modules():
            if isinstance(part, GatedFusion):
                keep(name.partition("fusion.")[2], part)
        yield found


def gate_shares(fusion: GatedFusion, signals: Signals) -> Float[Tensor, "B M"]:
    vectors, present = side_by_side(signals, fusion.speak)  # (B, sum of D_m), (B, M)
    if fusion.gate_input == "projected":
        parts = zip(fusion.speak.values(), vectors.split(fusion.widths, dim=1), strict=True)
        vectors = torch.cat([speak(part) for speak, part in parts], dim=1)
    gates = fusion.gates(vectors, present).mean(dim=2) * present  # (B, M)
    return gates / gates.sum(dim=1, keepdim=True).clamp(min=torch.finfo(gates.dtype).tiny)


def of_one(each: Weights) -> Float[Tensor, "B M"]:
    """The mean over tasks."""
    return torch.stack(list(each.values())).mean(dim=0)


def of_task(each: Weights, task: str) -> Float[Tensor, "B M"]:
    return each[task] if task in each else of_one(each)


def mean_by_modality(shares: Float[Tensor, "N M"], names: Mapping[str, object]) -> dict[str, float] | None:
    """Over the rows that have any modality; None where none has."""
    heard = shares[shares.sum(dim=1) > 0]
    return dict(zip(names, heard.double().mean(dim=0).tolist(), strict=True)) if len(heard) else None
