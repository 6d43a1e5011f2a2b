"""Everything learns at every step, from all modalities."""

from mmfuse.types import Phase, Schedule


class Synchronous(Schedule):
    def __call__(self, epoch: int, step: int) -> Phase:
        return Phase()
