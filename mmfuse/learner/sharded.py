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

from mmfuse.learner.learner import Learner
from mmfuse.learner.parts import LearningParts

ASKED = ("encode", "outputs", "predict")  # what a learner asks of a model, besides `forward`


class Sharded(ModelParallelStrategy):
    def __init__(self, ranks: int):
        super().__init__(data_parallel_size=ranks, tensor_parallel_size=1, save_distributed_checkpoint=False)


class ShardedLearner(Learner):
    def configure_model(self) -> None:
        """Once the trainer's strategy has a mesh of devices."""
        if self.device_mesh is None or is_sharded(self.model):
            return
        others = {**self.objectives, "balance": self.balancer}  # which may learn as well
        share({**self.model.encoders, "model": self.model, **others}, self.device_mesh["data_parallel"])
        for name in ASKED:
            register_fsdp_forward_method(self.model, name)
        self.parts = LearningParts(self.model, self.objectives, self.balancer)  # parameters are others now
        self.parts.still(self.schedule(0, 0).frozen)


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
        set_model_state_dict(module, dict(whole), options=StateDictOptions(full_state_dict=True))
    else:
        module.load_state_dict(whole)
