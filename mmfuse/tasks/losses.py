"""What a model's outputs cost: its predictions, the answers besides them, what its fusion and completion ask for."""

from collections.abc import Mapping

from mmfuse.types import Batch, Losses, Outputs, Task


def losses(tasks: Mapping[str, Task], outputs: Outputs, batch: Batch) -> Losses:
    """By name: "task/digit", "own/digit", "fusion/balance", "fusion/views-digit", "completion/alignment"."""
    answers = {"task": outputs.predictions, **outputs.besides}
    found = {
        f"{what}/{n}": task.loss(said[n], batch.targets[n])
        for what, said in answers.items()
        for n, task in tasks.items()
    }
    found |= {f"fusion/{name}": loss for name, loss in outputs.losses.items()}
    found |= {f"completion/{name}": loss for name, loss in outputs.completion.items()}
    for n, lesson in outputs.lessons.items():
        for name, loss in lesson(tasks[n], batch.targets[n], batch.rows).items():
            found[f"task/{n}" if name == "task" else f"fusion/{name}-{n}"] = loss
    return found
