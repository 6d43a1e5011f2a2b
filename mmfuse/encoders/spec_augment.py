"""SpecAugment: bands of time and of frequency hidden in a spectrogram, in training (Park et al., 2019,
https://arxiv.org/abs/1904.08779; without its time warping, which it found to matter least)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class SpecAugment(nn.Module):
    def __init__(self, time_masks: int = 0, time_width: int = 0, frequency_masks: int = 0, frequency_width: int = 0):
        """As many masks, each of 0 up to as many frames or bands: the paper's m_T, T, m_F and F."""
        super().__init__()
        for name, masks, width in (("time", time_masks, time_width), ("frequency", frequency_masks, frequency_width)):
            if min(masks, width) < 0 or bool(masks) != bool(width):
                raise ValueError(f"{name}_masks={masks} of {name}_width={width}: both are needed, or neither")
        self.time, self.frequency = (time_masks, time_width), (frequency_masks, frequency_width)

    def forward(self, steps: Float[Tensor, "B F C"], mask: Bool[Tensor, "B F"]) -> Float[Tensor, "B F C"]:
        """Hidden places are 0, which has to be the spectrogram's mean."""
        if not self.training:
            return steps
        frames, bands = mask.sum(dim=1), torch.full((len(steps),), steps.shape[2], device=steps.device)  # (B,)
        for _ in range(self.time[0]):
            steps = steps.masked_fill(band(steps.shape[1], frames, self.time[1]).unsqueeze(2), 0.0)
        for _ in range(self.frequency[0]):
            steps = steps.masked_fill(band(steps.shape[2], bands, self.frequency[1]).unsqueeze(1), 0.0)
        return steps


def band(places: int, lengths: Tensor, width: int) -> Bool[Tensor, "B P"]:
    """True in one band of each row, 0 up to `width` places wide, within the row's first `lengths` (B,) places."""
    dice = torch.rand(2, len(lengths), device=lengths.device)
    wide = (dice[0] * (lengths.clamp(max=width) + 1)).long()  # (B,)
    start = (dice[1] * (lengths - wide + 1)).long()
    place = torch.arange(places, device=lengths.device)  # (P,)
    return (place >= start[:, None]) & (place < (start + wide)[:, None])
