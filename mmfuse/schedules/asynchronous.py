"""One modality after another learns the task by itself, and then the fusion learns from what they have learned.

While a modality has its turn, the encoders of the others sit still and are not heard; its own encoder learns, and what
follows it. At the end all are heard, and encoders sit still or learn at a lower rate. Only then may an epoch be the
best.
"""

from collections.abc import Sequence

from mmfuse.types import Phase, Schedule


class Asynchronous(Schedule):
    """
    >>> schedule = Asynchronous(["audio", "text"], epochs=9)
    >>> for epoch in (0, 3, 6): print(schedule(epoch, step=0))
    Phase(frozen=('text',), losses=('task/*', 'own/*', 'fusion/*'), modalities=('audio',), rates={})
    Phase(frozen=('audio',), losses=('task/*', 'own/*', 'fusion/*'), modalities=('text',), rates={})
    Phase(frozen=('audio', 'text'), losses=('*',), modalities=('*',), rates={})
    """

    def __init__(
        self,
        modalities: Sequence[str],
        epochs: int,
        order: Sequence[str] | None = None,
        each: int | None = None,
        rate: float = 0.0,
    ):
        """`each` is the epochs of a turn, None for equal parts of all; `rate` multiplies the encoders' at the end."""
        self.order = tuple(order or modalities)
        if sorted(self.order) != sorted(modalities):
            raise ValueError(f"order={list(self.order)}: each of {list(modalities)} is needed, once")
        if rate < 0:
            raise ValueError(f"rate={rate}: at least 0 is needed; 0 is to sit still")
        self.each = max(1, epochs // (len(self.order) + 1)) if each is None else each
        self.settles, self.rate = self.each * len(self.order), rate
        if 0 <= epochs <= self.settles:
            raise ValueError(
                f"{len(self.order)} turns of {self.each} epochs leave none of {epochs} for the fusion: a smaller"
                " schedule.each, or a larger trainer.max_epochs"
            )

    def __call__(self, epoch: int, step: int) -> Phase:
        turn = epoch // self.each
        if turn < len(self.order):
            return alone(self.order[turn], self.order)
        if self.rate == 0:
            return Phase(frozen=self.order)
        return Phase(rates=dict.fromkeys(self.order, self.rate))


def alone(modality: str, modalities: Sequence[str]) -> Phase:
    """It learns as if there were no others."""
    others = tuple(m for m in modalities if m != modality)
    return Phase(others, ("task/*", "own/*", "fusion/*"), (modality,))
