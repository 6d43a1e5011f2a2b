"""Which parts learn when. A schedule maps (epoch, step) to a phase and keeps no state, so it reads as a table."""

from mmfuse.types import Phase


class Synchronous:
    """Everything learns at every step."""

    def __call__(self, epoch: int, step: int) -> Phase:
        return Phase()
