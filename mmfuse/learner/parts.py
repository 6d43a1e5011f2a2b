"""What a learner is made of, by the names that phases and optimizers call its parts."""

from collections.abc import Mapping, Sequence

from torch import nn

from mmfuse.encoders.pretrained import Pretrained
from mmfuse.types import Balancer, Model, Task


class LearningParts:
    """Modules by part, and what each of them has to learn."""

    def __init__(self, model: Model, objectives: nn.ModuleDict, balancer: Balancer):
        self.modules: dict[str, list[nn.Module]] = {**model.parts(), "objectives": [objectives], "balance": [balancer]}
        self.pretrained = {m: part for m, e in model.encoders.items() if (part := pretrained(e)) is not None}
        self.parameters = {name: trainable(*modules) for name, modules in self.modules.items()}
        for m, part in self.pretrained.items():
            self.parameters[m] += part.waiting()
        self.asleep: set[nn.Parameter] = set()  # what is held until a later epoch
        self.learning: dict[str, list[nn.Parameter]] = {}  # what gets gradients, of parts that have any

    def at_epoch(self, epoch: int) -> None:
        for encoder in self.pretrained.values():
            encoder.at_epoch(epoch)
        self.asleep = {p for e in self.pretrained.values() if e.asleep for p in e.waiting()}

    def still(self, frozen: Sequence[str]) -> None:
        """Parameters of these parts get no gradients, and their modules evaluate: statistics of batches stay, too."""
        if unknown := set(frozen) - set(self.modules):
            raise ValueError(f"the schedule freezes {sorted(unknown)}, but the parts are {list(self.modules)}")
        for name, modules in self.modules.items():
            for module in modules:
                module.train(name not in frozen)
            for p in self.parameters[name]:
                p.requires_grad_(name not in frozen and p not in self.asleep)
        found = {name: [p for p in parameters if p.requires_grad] for name, parameters in self.parameters.items()}
        self.learning = {name: parameters for name, parameters in found.items() if parameters}

    def check_learns(self, tasks: Mapping[str, Task]) -> None:
        """Tasks that compare what encoders say have no head that could learn in their place."""
        compared = [m for task in tasks.values() for m in task.between or ()]
        learns = any(p.requires_grad for m in compared for p in self.parameters[m])
        if all(task.between for task in tasks.values()) and not learns:
            raise ValueError(
                f"task {', '.join(tasks)} compares what the encoders of {' and '.join(compared)} say, and all of them"
                f" are frozen: nothing learns\n  to go on: encoder.{compared[0]}.freeze=false, or one that learns"
            )


def pretrained(encoder: nn.Module) -> Pretrained | None:
    """The encoder itself, or the one that it wraps."""
    return next((part for part in encoder.modules() if isinstance(part, Pretrained)), None)


def trainable(*modules: nn.Module) -> list[nn.Parameter]:
    return [p for module in modules for p in module.parameters() if p.requires_grad]
