"""What Lightning's trainer does around each step that nobody asked for, left out: a tenth of a small model's step."""

from contextlib import AbstractContextManager, nullcontext

import pytorch_lightning as L
from pytorch_lightning.profilers import PassThroughProfiler

NOTHING = nullcontext()
OF_A_STEP = (
    "on_train_batch_start",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "on_train_batch_end",
)


class Unprofiled(PassThroughProfiler):
    """Its parent enters a generator around every hook, to do nothing in it either."""

    def profile(self, action_name: str) -> AbstractContextManager[None]:
        return NOTHING


def nothing() -> None: ...


def lean(trainer: L.Trainer) -> None:
    """A hook that a callback leaves as it is, is not called: the trainer passes over what cannot be."""
    if type(trainer.profiler) is PassThroughProfiler:  # nobody asked for another
        trainer.profiler = Unprofiled()
    trainer._signal_connector.register_signal_handlers = nothing  # `Stop` has its own; ranks would wait within one
    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = nothing  # at every step
    for callback in trainer.callbacks:
        for hook in OF_A_STEP:
            if getattr(type(callback), hook) is getattr(L.Callback, hook):
                setattr(callback, hook, None)
