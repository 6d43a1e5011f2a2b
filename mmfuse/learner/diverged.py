"""What to say when a loss is not a number: where it began, and what to try."""

from collections.abc import Mapping, Sequence

from torch import nn

from mmfuse.errors import TrainingError
from mmfuse.types import Batch, Losses, Signals


def diverged(
    losses: Losses, batch: Batch, encoded: Signals, parameters: Mapping[str, Sequence[nn.Parameter]], place: str
) -> TrainingError:
    """`place` is such as "step 7 (epoch 0, batch 7)"."""
    names = [name for name, loss in losses.items() if not loss.isfinite()]
    total = float(sum(loss.detach() for loss in losses.values()))
    suspects = {"input": batch.signals, "encoder's output": encoded}
    places = [
        f"{m} ({what})"
        for what, signals in suspects.items()
        for m, s in signals.items()
        if s.data.is_floating_point() and not s.data[s.mask].isfinite().all()
    ]
    lost = [part for part, ps in parameters.items() if not all(bool(p.isfinite().all()) for p in ps)]
    return TrainingError(
        f"loss {', '.join(names) or 'as it is balanced'} is {total:g} at {place}\n"
        f"  not finite: {', '.join(places) or 'no modality; the fused prediction'}"
        + (f"; weights of {', '.join(lost)}" if lost else "")
        + "\n  to go on: a lower optimizer.lr, a lower trainer.gradient_clip_val, or trainer.precision=32-true"
    )
