"""The modalities take turns, epochs each, to learn what the others get wrong, and after each turn all learn together.

Goes with `objectives=[reconboost]`, the loss of a turn. The encoders of the others sit still then, but are heard, and
all that follows the encoders learns. After the turn everything learns from the tasks (global rectification). Hua et
al., ReconBoost, ICML 2024, https://arxiv.org/abs/2405.09321, whose code has 4 and 4 epochs and hundreds of turns; the
default here is 1 and 1, which leaves some turns to runs of a dozen epochs. Only when each modality has had one may an
epoch be the best.
"""

from collections.abc import Sequence

from mmfuse.types import Phase, Schedule


class Reconboost(Schedule):
    """
    >>> schedule = Reconboost(["audio", "text"], epochs=9)
    >>> for epoch in (0, 1, 2): print(schedule(epoch, step=0)[:2])
    (('text',), ('reconboost/audio',))
    ((), ('task/*', 'own/*', 'fusion/*'))
    (('audio',), ('reconboost/text',))
    """

    def __init__(self, modalities: Sequence[str], epochs: int, each: int = 1, rectify: int = 1):
        """`each` is the epochs of a turn, `rectify` of what follows it."""
        if each < 1 or rectify < 0:
            raise ValueError(f"each={each}, rectify={rectify}: at least 1 and at least 0 are needed")
        self.modalities, self.each, self.rectify = tuple(modalities), each, rectify
        self.settles = len(modalities) * (each + rectify) - 1
        if 0 <= epochs <= self.settles:
            raise ValueError(
                f"{len(modalities)} turns of {each} + {rectify} epochs do not fit into {epochs}: a smaller"
                " schedule.each, or a larger trainer.max_epochs"
            )

    def __call__(self, epoch: int, step: int) -> Phase:
        turn, place = divmod(epoch, self.each + self.rectify)
        if place >= self.each:
            return Phase(losses=("task/*", "own/*", "fusion/*"))
        learner = self.modalities[turn % len(self.modalities)]
        return Phase(tuple(m for m in self.modalities if m != learner), (f"reconboost/{learner}",))
