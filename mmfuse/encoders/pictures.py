"""Runs a network over those pictures of a batch that are there, and over no others.

So no picture that is missing enters the statistics of batch normalization (Ioffe and Szegedy, 2015,
https://arxiv.org/abs/1502.03167). A lone picture has no others to be normalized with, and may come to a map of one
place, which has no variance: it is normalized by the statistics kept so far, as in evaluation, and adds none to them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmfuse.types import Signal


def scaled(pixels: Tensor) -> Tensor:
    """Bytes go from -1 to 1, and other numbers stay as they are."""
    return pixels.float() / 127.5 - 1 if pixels.dtype == torch.uint8 else pixels


def over_pictures(
    encoder: nn.Module, steps: Callable[[Float[Tensor, "N C H W"]], Float[Tensor, "N P D"]], signal: Signal
) -> Signal:
    """The steps of every picture (B, T, C, H, W), one for each of its P places; zeros where there is none.

    Where a batch has none at all, a black one is run instead, of which nothing but the shape is kept. Channels lie next
    to each other in memory, with which convolution and pooling are faster on a CPU, by a fifth or more.
    """
    rows, frames = signal.mask.shape
    mask = signal.mask.flatten()  # (B T)
    real = signal.data.flatten(0, 1)[mask]  # (N, C, H, W)
    count = len(real)
    pictures = scaled(real if count else torch.zeros_like(signal.data[0, :1]))
    laid = torch.empty_like(pictures, memory_format=torch.channels_last)  # contiguous() leaves a lone channel as it is
    pictures = laid.copy_(pictures)
    with running_statistics(encoder) if count < 2 else nullcontext():
        found = steps(pictures)  # (N, P, D)
    places, dim = found.shape[1:]
    data = found.new_zeros(len(mask), places, dim)  # (B T, P, D)
    data[mask] = found[:count]
    return Signal(data.reshape(rows, frames * places, dim), signal.mask.repeat_interleave(places, dim=1))


def by_place(maps: Float[Tensor, "N D h w"]) -> Float[Tensor, "N P D"]:
    return maps.flatten(2).transpose(1, 2)


@contextmanager
def running_statistics(module: nn.Module) -> Iterator[None]:
    """Within, batch normalization neither takes nor counts the statistics of what it sees."""
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d | nn.SyncBatchNorm) and part.training]
    for norm in norms:
        norm.eval()
    try:
        yield
    finally:
        for norm in norms:
            norm.train()
