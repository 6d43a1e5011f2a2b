"""Any image model of timm, by its name. What it returns has a step for each place, patch or token of its last layer.

Wightman, PyTorch Image Models, 2019, https://github.com/huggingface/pytorch-image-models. Its weights come from a local
file and are never downloaded.
"""

from typing import Any

import torch

from mmfuse.encoders.pictures import by_place, over_pictures
from mmfuse.encoders.pretrained import Pretrained
from mmfuse.encoders.weights import load_weights, read_weights
from mmfuse.errors import ConfigError, closest
from mmfuse.types import Signal

GET = "pip install 'mmfuse[timm]', where torch is the build that torchvision from PyPI is made for"


class Timm(Pretrained):
    def __init__(
        self,
        size: int,
        model: str = "convnext_atto",
        weights: str | None = None,
        freeze: bool = False,
        unfreeze_at: int | None = None,
        lr: float | None = None,
    ):
        """Pictures of `size` channels; some models need a height and width of their own, which they say.

        `freeze` holds all of it: what its layers are differs from model to model.
        """
        super().__init__()
        timm = library()
        if model not in (models := timm.list_models()):
            advice = closest(model, models) or "timm.list_models() has their names"
            raise ValueError(f"model={model}: timm {timm.__version__} has no such model\n  {advice}")
        self.model, self.network = model, timm.create_model(model, pretrained=False, in_chans=size, num_classes=0)
        self.dim = self.network.num_features
        if weights is not None:
            load_weights(self.network, read_weights(weights), weights)
        self.hold([self.network], freeze, unfreeze_at, lr)

    def forward(self, signal: Signal) -> Signal:
        return over_pictures(self, self.steps, signal)

    def steps(self, pixels: torch.Tensor) -> torch.Tensor:
        try:
            found = self.network.forward_features(pixels)  # (N, D, h, w), (N, h, w, D) or (N, places, D)
        except AssertionError as error:  # how timm refuses a height and width
            takes = list(self.network.default_cfg["input_size"][1:])
            raise ConfigError(f"model={self.model}: {error}\n  to go on: prepare.size={takes}") from error
        if found.dim() == 4 and found.shape[1] == self.dim:
            return by_place(found)
        return found.reshape(len(found), -1, self.dim)


def library() -> Any:
    try:
        import timm
    except (ImportError, RuntimeError) as error:  # torchvision against another build of torch is a RuntimeError
        raise ValueError(f"timm is needed and can't be imported: {error}\n  to go on: {GET}") from error
    return timm
