"""A label for each step of one modality: named entities, semantic roles, the utterances of a video.

Predicted from the modality's own steps, each joined with what the others say, or from the fused steps where a fusion
goes by step. Trained by cross-entropy and scored as a classification, over all labelled steps alike; intervals resample
whole rows, for steps of one row depend on each other.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from mmfuse.errors import ConfigError
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.types import Units


class Tokens(Multiclass):
    """Targets are (B, T) class numbers, -1 where a step has no label and beyond a row's end."""

    def __init__(self, classes: Sequence[str], of: str):
        """`of` names the modality whose steps are labelled."""
        super().__init__(classes)
        self.of = of

    def units(self, prediction: Tensor, target: Tensor) -> Units:
        if prediction.shape[1] < target.shape[1]:
            raise ConfigError(
                f"encoder.{self.of} returns {prediction.shape[1]} steps for {target.shape[1]} labelled ones"
                "\n  to go on: an encoder that returns a step for each it reads, such as embedding_lstm or gru"
            )
        target = F.pad(target, (0, prediction.shape[1] - target.shape[1]), value=-1)  # (B, T)
        labelled = target >= 0
        place = torch.arange(len(target), device=target.device)[:, None].expand_as(target)
        return Units(prediction[labelled], target[labelled], place[labelled])

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        prediction, target, _ = self.units(prediction, target)  # (U, K), (U,)
        return super().loss(prediction, target)
