"""First the encoders learn from objectives that need no labels, and then the tasks are learned from what they say.

While they pretrain, the fusion and the heads sit still and only the losses of `first` count. Afterwards all losses do,
and the encoders' learning rate is multiplied by `rate`; at 0 they sit still, and objectives with them. Only then may an
epoch be the best.
"""

from collections.abc import Sequence

from mmfuse.types import Phase, Schedule


class PretrainFinetune(Schedule):
    """
    >>> schedule = PretrainFinetune(["audio", "text"], epochs=10, rate=0.0)
    >>> schedule(4, step=0).losses, schedule(5, step=0).frozen
    (('align/*',), ('audio', 'text', 'objectives'))
    """

    def __init__(
        self,
        modalities: Sequence[str],
        epochs: int,
        pretrain: int | None = None,
        first: Sequence[str] = ("align/*",),
        rate: float = 1.0,
    ):
        """`pretrain` is in epochs, None for half of all; `first` are patterns of losses' names."""
        if rate < 0:
            raise ValueError(f"rate={rate}: at least 0 is needed; 0 is to sit still")
        self.settles = max(1, epochs // 2) if pretrain is None else pretrain
        if 0 <= epochs <= self.settles:
            raise ValueError(f"pretrain={self.settles} leaves none of trainer.max_epochs={epochs} for the tasks")
        self.modalities, self.first, self.rate = tuple(modalities), tuple(first), rate

    def __call__(self, epoch: int, step: int) -> Phase:
        if epoch < self.settles:
            return Phase(("fusion", "heads"), self.first)
        if self.rate == 0:
            return Phase((*self.modalities, "objectives"))
        return Phase(rates=dict.fromkeys(self.modalities, self.rate))
