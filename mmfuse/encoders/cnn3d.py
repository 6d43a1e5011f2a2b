"""A small convolutional network over height, width and time. A step for each frame, or for each of its places.

3x3x3 convolutions all through, pooled in the picture alone behind the first one: C3D (Tran et al., Learning
Spatiotemporal Features with 3D Convolutional Networks, 2015, https://arxiv.org/abs/1412.0767), with fewer channels.
Groups of channels of each frame by itself are normalized (Wu and He, 2018, https://arxiv.org/abs/1803.08494), so that
a film is encoded alike whatever its padding, and whatever else is in its batch. A frame that is not there is to its
neighbours what the border of the film is to its last frame: zeros before each convolution.
"""

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse.encoders.pictures import scaled
from mmfuse.types import Encoder, Signal


class CNN3D(Encoder):
    def __init__(
        self,
        size: int,
        dim: int = 128,
        widths: Sequence[int] = (16, 32, 64),
        groups: int = 8,
        halve_time: bool = False,
        places: bool = False,
    ):
        """Films of `size` channels and any height and width; `widths` are the blocks' before the last.

        Each block but the last halves height and width, and with `halve_time` all but the first and the last halve
        time, too. With `places` there is a step for each place of each frame of the last map; else places are averaged.
        """
        super().__init__()
        self.dim, self.places = dim, places
        self.blocks = nn.ModuleList()
        for number, (before, after) in enumerate(pairwise([size, *widths, dim])):
            if after % groups:
                raise ValueError(f"widths={list(widths)}, dim={dim}: each has to be a multiple of groups={groups}")
            pooled = 2 if number < len(widths) else 1
            self.blocks.append(Block(before, after, groups, pooled, pooled if halve_time and number else 1))

    def forward(self, signal: Signal) -> Signal:
        maps, mask = scaled(signal.data).transpose(1, 2), signal.mask  # (B, C, T, H, W), (B, T)
        for block in self.blocks:
            maps, mask = block(maps, mask)
        steps = maps.flatten(3).permute(0, 2, 3, 1)  # (B, T, places, D)
        if not self.places:
            return Signal(steps.mean(dim=2), mask)
        return Signal(steps.flatten(1, 2), mask.repeat_interleave(steps.shape[2], dim=1))  # (B, T places, D)


class Block(nn.Module):
    def __init__(self, before: int, after: int, groups: int, pooled: int, pooled_time: int):
        super().__init__()
        self.convolve = nn.Conv3d(before, after, 3, padding=1)
        self.norm = nn.GroupNorm(groups, after)
        self.pool = nn.MaxPool3d((pooled_time, pooled, pooled), ceil_mode=True)
        self.pool_mask = nn.MaxPool1d(pooled_time, ceil_mode=True)

    def forward(
        self, maps: Float[Tensor, "B C T H W"], mask: Bool[Tensor, "B T"]
    ) -> tuple[Float[Tensor, "B D U h w"], Bool[Tensor, "B U"]]:
        maps = self.convolve(behind(mask, maps))  # (B, D, T, H, W)
        frames = self.norm(maps.transpose(1, 2).flatten(0, 1)).relu()  # (B T, D, H, W)
        maps = frames.unflatten(0, mask.shape).transpose(1, 2)
        # Nothing is below zero here, so that zeros win no maximum.
        return self.pool(behind(mask, maps)), self.pool_mask(mask.float().unsqueeze(1))[:, 0] > 0


def behind(mask: Bool[Tensor, "B T"], maps: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B C T H W"]:
    """Zeros in the frames that are not there."""
    return maps.masked_fill(~mask[:, None, :, None, None], 0.0)
