"""What Lightning's trainer asks for around every hook of every callback, a hundred times a step, at no cost."""

from contextlib import AbstractContextManager, nullcontext

from pytorch_lightning.profilers import PassThroughProfiler

NOTHING = nullcontext()


class Unprofiled(PassThroughProfiler):
    """Its parent enters a generator each time, to do nothing in it either."""

    def profile(self, action_name: str) -> AbstractContextManager[None]:
        return NOTHING
