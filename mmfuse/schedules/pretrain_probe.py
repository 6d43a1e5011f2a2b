"""First the encoders learn from objectives that need no labels, and then only what reads them learns the tasks.

It is pretrain_finetune with encoders that sit still once they have pretrained, so that the tasks measure what their
codes have in them.
"""

from collections.abc import Sequence

from mmfuse.schedules.pretrain_finetune import PretrainFinetune


class PretrainProbe(PretrainFinetune):
    def __init__(
        self, modalities: Sequence[str], epochs: int, pretrain: int | None = None, first: Sequence[str] = ("align/*",)
    ):
        super().__init__(modalities, epochs, pretrain, first, rate=0.0)
