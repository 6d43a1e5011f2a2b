"""Mean and spread of each channel in random patches, the classical baseline.

A step for each patch. Where it lies was drawn once, as shares of height and width, so that it is the same place in
every picture; and each has a linear map of its own, so that the mean over the steps is a linear map of all figures
side by side, and not of their mean, which would not know where anything is.

The figures are colour moments (Stricker and Orengo, Similarity of Color Images, 1995, https://doi.org/10.1117/12.205308),
of subwindows that are random (Marée et al., 2005, https://doi.org/10.1109/CVPR.2005.287).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmfuse.encoders.pictures import scaled
from mmfuse.types import Encoder, Signal


class Patches(Encoder):
    corners: Tensor  # (K, 2) from 0 to 1: how much of the room above and left of a patch is used

    def __init__(self, size: int, dim: int = 128, count: int = 64, share: float = 0.25, seed: int = 0):
        """`count` patches of `share` of the height by `share` of the width, at least a pixel."""
        super().__init__()
        if not 0 < share <= 1:
            raise ValueError(f"share={share}: a patch is more than 0 and at most 1 of the picture's height and width")
        self.dim, self.share = dim, share
        self.register_buffer("corners", torch.rand(count, 2, generator=torch.Generator().manual_seed(seed)))
        most = (2 * size) ** -0.5  # as nn.Linear's
        self.weight = nn.Parameter(torch.empty(count, 2 * size, dim).uniform_(-most, most))
        self.bias = nn.Parameter(torch.empty(count, dim).uniform_(-most, most))

    def forward(self, signal: Signal) -> Signal:
        pixels = scaled(signal.data.flatten(0, 1))  # (B T, C, H, W)
        pixels = pixels.masked_fill(~signal.mask.flatten()[:, None, None, None], 0.0)
        steps = torch.einsum("nkf,kfd->nkd", self.figures(pixels), self.weight) + self.bias  # (B T, K, dim)
        rows, frames = signal.mask.shape
        patches = len(self.corners)
        return Signal(
            steps.reshape(rows, frames * patches, self.dim),
            signal.mask.repeat_interleave(patches, dim=1),  # (B, T K)
        )

    def figures(self, pixels: Float[Tensor, "N C H W"]) -> Float[Tensor, "N K F"]:
        """Of each patch the mean of every channel, then the standard deviation of every channel."""
        sides = torch.tensor(pixels.shape[2:])
        lengths = (self.share * sides).round().long().clamp(min=1)  # (2,)
        corners = (self.corners.cpu() * (sides - lengths + 1)).long()  # (K, 2)
        found = []
        for (top, left), (height, width) in zip(corners.tolist(), [lengths.tolist()] * len(corners), strict=True):
            patch = pixels[:, :, top : top + height, left : left + width]
            spread, mean = torch.std_mean(patch, dim=(2, 3), correction=0)  # (N, C) each
            found.append(torch.cat([mean, spread], dim=1))
        return torch.stack(found, dim=1)
