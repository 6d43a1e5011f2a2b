"""Any picture model of Hugging Face transformers, by its hub name or from a folder: ViT, ResNet, ConvNeXt, DINOv2, and
the towers of CLIP and SigLIP.

Wolf et al., Transformers: State-of-the-Art Natural Language Processing, 2020, https://aclanthology.org/2020.emnlp-demos.6.
"""

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mmfuse.encoders.backbone import Backbone, backbone
from mmfuse.encoders.pictures import over_pictures
from mmfuse.types import Signal


class HFImage(Backbone):
    def __init__(
        self,
        size: int,
        model: str,
        pool: Literal["own", "mean", "tokens"] = "own",
        freeze: bool | int = True,
        unfreeze_at: int | None = None,
        lr: float | None = None,
        lora: int | None = None,
        checkpointing: bool = False,
    ):
        """Pictures of `size` channels, 3, as the model's own processor makes them.

        What comes out of each is what the model itself sums it up by (its first token, its head of attention, or the
        mean over places), the mean of all its tokens or places, or each of them. `freeze` holds all weights, those of
        so many layers and the embeddings, or none; from epoch `unfreeze_at` on they learn. `lr` is their own learning
        rate, `lora` the rank of adapters that learn in their place, and `checkpointing` computes activations twice to
        keep fewer.
        """
        super().__init__()
        network = backbone(model, "image", checkpointing)
        config = network.config
        self.dim, self.pool = getattr(config, "hidden_size", None) or config.hidden_sizes[-1], pool
        self.cost = places(config)
        self.take(network, freeze, unfreeze_at, lr, lora)

    def forward(self, signal: Signal) -> Signal:
        return over_pictures(self, lambda pixels: self.summed_up(self.network(pixel_values=pixels)), signal)

    def summed_up(self, outputs: Any) -> Float[Tensor, "S P D"]:
        said: torch.Tensor = outputs.last_hidden_state
        if said.ndim == 4:  # (S, D, H, W), of a convolutional network
            said = said.flatten(2).transpose(1, 2)  # (S, H W, D)
            if self.pool == "own":
                return said.mean(dim=1, keepdim=True)
        if self.pool == "tokens":
            return said
        if self.pool == "mean":
            return said.mean(dim=1, keepdim=True)
        own = getattr(outputs, "pooler_output", None)
        return said[:, :1] if own is None else own.flatten(1).unsqueeze(1)


def places(config: Any) -> float:
    """About how many tokens a picture becomes."""
    side = getattr(config, "image_size", None) or 224
    patch = getattr(config, "patch_size", None) or 16
    return float(max(1, int(side) // int(patch)) ** 2) if isinstance(side, int) and isinstance(patch, int) else 196.0
