"""Lightning's trainer as the config has it, for a process by itself or for one of several ranks."""

from collections.abc import Callable
from typing import Any

from mmfuse.ranks import here
from mmfuse.run.make import Config, make


def maker(trainer: Config) -> Callable[..., Any]:
    """Called with what else it is to have."""

    def made(**parts: Any) -> Any:
        return make(trainer, "trainer", **parts, **together(trainer))

    return made


def together(trainer: Config) -> dict[str, Any]:
    """What ranks need that one process does not.

    A part that a schedule holds, or that no loss reaches, has no gradient at a step; buffers, such as sums over an
    epoch's rows, are each rank's own.
    """
    strategy = trainer.get("strategy", "auto")
    if here().ranks == 1:
        return {"strategy": "auto"} if strategy == "fsdp" else {}  # there is nobody to share weights with
    if strategy not in ("auto", "ddp", "fsdp"):
        return {}
    if strategy == "fsdp":
        from mmfuse.learner.sharded import Sharded

        return {"strategy": Sharded(here().ranks)}
    from pytorch_lightning.strategies import DDPStrategy

    return {"strategy": DDPStrategy(find_unused_parameters=True, broadcast_buffers=False)}
