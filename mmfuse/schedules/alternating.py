"""The modalities take turns, a step each, and meet in a joint step at the end of each round.

At its turn a modality learns as if there were no others, and so do the fusion and the heads that all share (Zhang et
al., Multimodal Representation Learning by Alternating Unimodal Adaptation, CVPR 2024,
https://arxiv.org/abs/2311.10707, without its gradient projection). In the joint step all are heard, and the encoders
sit still.
"""

from collections.abc import Sequence

from mmfuse.schedules.asynchronous import alone
from mmfuse.types import Phase, Schedule


class Alternating(Schedule):
    """
    >>> schedule = Alternating(["audio", "text"])
    >>> [schedule(0, step).modalities for step in range(4)]
    [('audio',), ('text',), ('*',), ('audio',)]
    """

    def __init__(self, modalities: Sequence[str], joint: bool = True):
        self.modalities, self.joint = tuple(modalities), joint

    def __call__(self, epoch: int, step: int) -> Phase:
        turn = step % (len(self.modalities) + self.joint)
        return alone(self.modalities[turn], self.modalities) if turn < len(self.modalities) else Phase(self.modalities)
