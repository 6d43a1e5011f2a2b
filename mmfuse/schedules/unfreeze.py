"""Parts wake one after another: each sits still until its epoch, and learns from then on.

It is meant for parts that have learned elsewhere, and should not be upset by those that start from nothing (Howard and
Ruder, Universal Language Model Fine-tuning, ACL 2018, https://arxiv.org/abs/1801.06146). Parts inside one encoder have
`unfreeze_at` of their own.
"""

from collections.abc import Mapping, Sequence

from mmfuse.types import Phase, Schedule


class Unfreeze(Schedule):
    """
    >>> schedule = Unfreeze(["audio", "text"], epochs=9, at={"text": 3})
    >>> schedule(2, step=0).frozen, schedule(3, step=0).frozen
    (('text',), ())
    """

    def __init__(self, modalities: Sequence[str], epochs: int, at: Mapping[str, int]):
        """`at` is the epoch, from 0, at which each part wakes: a modality for its encoder, fusion, heads."""
        if never := [part for part, epoch in at.items() if epoch < 0 or 0 < epochs <= epoch]:
            raise ValueError(f"at={dict(at)}: {never} would never wake, in {epochs} epochs that count from 0")
        self.at = dict(at)

    def __call__(self, epoch: int, step: int) -> Phase:
        return Phase(tuple(part for part, wakes in self.at.items() if epoch < wakes))
