"""A model whose weights, gradients and optimizer's state are shared out among ranks, each with its slice of every one.

PyTorch's fully sharded data parallel (Zhao et al., VLDB 2023, https://arxiv.org/abs/2304.11277), in its second form:
`fully_shard`. A slice is gathered before it is needed; an encoder gives it back as soon as it has answered, what fuses
and decides keeps its own until the gradients are there. A checkpoint is whole, and as one process would write it.
"""

from collections.abc import Mapping
from typing import Any

from pytorch_lightning.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed import DeviceMesh
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor

from mmfuse.types import Model

ASKED = ("encode", "outputs", "predict")  # what a learner asks of a model, besides `forward`


class Sharded(ModelParallelStrategy):
    def __init__(self, ranks: int):
        super().__init__(data_parallel_size=ranks, tensor_parallel_size=1, save_distributed_checkpoint=False)


def shard(model: Model, others: Mapping[str, nn.Module], mesh: DeviceMesh) -> None:
    """`others` learn as well, such as objectives."""
    share({**model.encoders, "model": model, **others}, mesh)
    for name in ASKED:
        register_fsdp_forward_method(model, name)


def share(parts: Mapping[str, nn.Module], mesh: DeviceMesh) -> None:
    """Each is gathered by itself; what lies in another comes before it."""
    for part in parts.values():
        if any(True for _ in part.parameters()):
            fully_shard(part, mesh=mesh)


def is_sharded(module: nn.Module) -> bool:
    return any(isinstance(parameter, DTensor) for parameter in module.parameters())


def load(module: nn.Module, whole: dict[str, Any]) -> None:
    """Whole tensors, of which each rank takes its slices where the module is shared out."""
    if is_sharded(module):
        set_model_state_dict(module, whole, options=StateDictOptions(full_state_dict=True))
    else:
        module.load_state_dict(whole)
