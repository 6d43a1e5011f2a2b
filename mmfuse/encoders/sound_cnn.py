"""A convolutional network over time on a front end for sound, whose bands are its channels. A step for each moment.

The front end is a log-mel spectrogram, that of all frequencies, or cepstral coefficients. Then come blocks of a
convolution, halved by max-pooling, layer normalization over channels (Ba et al., 2016,
https://arxiv.org/abs/1607.06450) and relu. Frames beyond a clip's end are zeros before every convolution, as its own
border is, so that padding changes nothing.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse.encoders.spec_augment import SpecAugment
from mmfuse.encoders.spectrum import Front
from mmfuse.types import Encoder, Signal


class SoundCNN(Encoder):
    def __init__(
        self,
        size: int,
        front: Callable[..., Front],
        dim: int = 128,
        widths: Sequence[int] = (64,),
        time_masks: int = 0,
        time_width: int = 0,
        frequency_masks: int = 0,
        frequency_width: int = 0,
    ):
        """Waveforms of `size` samples a second, heard by `front(rate=size)`; a block for each of `widths`, and one of
        `dim`, halves time.

        The masks, with their widths in frames and in bands, are those of `SpecAugment`, in training only.
        """
        super().__init__()
        self.dim = dim
        self.front = front(rate=size)
        self.hide = SpecAugment(time_masks, time_width, frequency_masks, frequency_width)
        self.blocks = nn.ModuleList(
            Block(before, after) for before, after in pairwise([self.front.bands, *widths, dim])
        )

    def forward(self, signal: Signal) -> Signal:
        steps, mask = self.front(signal)  # (B, F, bands), (B, F)
        steps = self.hide(self.front.scaled(steps, mask), mask)
        for block in self.blocks:
            steps, mask = block(steps, mask)  # (B, F, C), (B, F)
        return Signal(steps, mask)


class Block(nn.Module):
    def __init__(self, before: int, after: int):
        super().__init__()
        self.convolve = nn.Conv1d(before, after, 3, padding=1)
        self.norm = nn.LayerNorm(after)

    def forward(
        self, steps: Float[Tensor, "B F C"], mask: Bool[Tensor, "B F"]
    ) -> tuple[Float[Tensor, "B G D"], Bool[Tensor, "B G"]]:
        maps = self.convolve(steps.transpose(1, 2)).masked_fill(~mask.unsqueeze(1), -torch.inf)  # no padding wins
        halved = halved_in_time(mask.float().unsqueeze(1))[:, 0] > 0  # (B, G)
        steps = halved_in_time(maps).transpose(1, 2).masked_fill(~halved.unsqueeze(-1), 0.0)  # (B, G, D)
        return self.norm(steps).relu().masked_fill(~halved.unsqueeze(-1), 0.0), halved


def halved_in_time(maps: Float[Tensor, "B C F"]) -> Float[Tensor, "B C G"]:
    """By max-pooling, which an odd last frame goes through alone; of two sides, as only this one can be exported."""
    return nn.functional.max_pool2d(maps.unsqueeze(2), (1, 2), ceil_mode=True).squeeze(2)
