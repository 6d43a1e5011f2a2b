"""The models of MultiBench's examples in plain torch, of the layers that ours have, for a list of padded batches.

What they do not do is what ours do besides: mask padding, or trim a batch to the longest of its rows. LeNet, GRU and
MulT after unimodals/common_models.py and fusions/mult.py of https://github.com/pliang279/MultiBench.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mmfuse.sinusoids import sinusoids


class Concat(nn.Module):
    """Encoders side by side, one layer over their concatenation, a linear head."""

    def __init__(self, encoders: list[nn.Module], wide: int, dim: int, out: int):
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        self.mix = nn.Sequential(nn.Linear(wide, dim), nn.ReLU(), nn.Dropout(0.1))
        self.head = nn.Linear(dim, out)

    def forward(self, inputs: list[Tensor]) -> Tensor:
        vectors = [encoder(x) for encoder, x in zip(self.encoders, inputs, strict=True)]
        return self.head(self.mix(torch.cat(vectors, 1)))


class LeNet(nn.Module):
    def __init__(self, channels: int, layers: int):
        super().__init__()
        widths = [1, *(channels * 2**k for k in range(layers + 1))]
        sides = [5, *[3] * layers]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, side, padding=side // 2, bias=False)
            for a, b, side in zip(widths, widths[1:], sides, strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths[1:])

    def forward(self, x: Tensor) -> Tensor:
        for convolve, norm in zip(self.convolutions, self.norms, strict=True):
            x = F.max_pool2d(F.relu(norm(convolve(x))), 2)
        return x.flatten(1)  # the last map is of one place


class MLP(nn.Sequential):
    def __init__(self, size: int, dim: int):
        super().__init__(nn.Linear(size, dim), nn.ReLU(), nn.Dropout(0.1), nn.Linear(dim, dim))


class GRU(nn.Module):
    """Over all steps, real or not."""

    def __init__(self, size: int, dim: int):
        super().__init__()
        self.rnn = nn.GRU(size, dim // 2, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0].mean(1)


class PackedGRU(GRU):
    """Packed: the real steps are found, as MultiBench's are, by what is not zero."""

    def forward(self, x: Tensor) -> Tensor:
        lengths = (x != 0).any(2).sum(1)
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0].sum(1) / lengths[:, None]


class MulT(nn.Module):
    """Steps first, then rows; positions and dropout anew in every stream; the last step is read, padding or not."""

    def __init__(self, sizes: list[int], dim: int = 40, heads: int = 8, layers: int = 4, memory: int = 3):
        super().__init__()
        n = len(sizes)
        wide = (n - 1) * dim
        self.convolutions = nn.ModuleList(nn.Conv1d(size, dim, 1) for size in sizes)
        self.streams = nn.ModuleList(Stream(dim, heads, layers) for _ in range(n * (n - 1)))
        self.memories = nn.ModuleList(Stream(wide, heads, memory) for _ in range(n))
        self.first, self.second = nn.Linear(n * wide, n * wide), nn.Linear(n * wide, n * wide)
        self.head = nn.Linear(n * wide, 1)

    def forward(self, inputs: list[Tensor]) -> Tensor:
        hs = [
            convolve(x.transpose(1, 2)).permute(2, 0, 1)  # (T, B, D)
            for convolve, x in zip(self.convolutions, inputs, strict=True)
        ]
        last, streams = [], iter(self.streams)
        for target, memory in zip(hs, self.memories, strict=True):
            told = torch.cat([next(streams)(target, source) for source in hs if source is not target], 2)
            last.append(memory(told, None)[-1])
        y = torch.cat(last, 1)
        return self.head(y + self.second(F.dropout(self.first(y).relu(), 0.1, self.training)))


class Stream(nn.Module):
    def __init__(self, dim: int, heads: int, layers: int):
        super().__init__()
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, source: Tensor | None) -> Tensor:
        x = placed(x, self.training)
        source = None if source is None else placed(source, self.training)
        for block in self.blocks:
            x = block(x, source)
        return self.norm(x)


def placed(x: Tensor, training: bool) -> Tensor:
    x = x * math.sqrt(x.shape[2]) + sinusoids(x.shape[0], x.shape[2], x.device)[:, None]
    return F.dropout(x, 0.1, training)


class Block(nn.Module):
    """Attention by torch's module as it comes, which also returns its weights, under a mask of what comes later."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.attend = nn.MultiheadAttention(dim, heads, 0.1)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))
        self.first, self.second = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor, source: Tensor | None) -> Tensor:
        query = self.norms[0](x)
        key = query if source is None else self.norms[0](source)
        later = torch.full((len(query), len(key)), float("-inf")).triu(1 + abs(len(query) - len(key)))
        read, _ = self.attend(query, key, key, attn_mask=later)
        x = x + F.dropout(read, 0.1, self.training)
        fed = F.dropout(self.first(self.norms[1](x)).relu(), 0.1, self.training)
        return x + F.dropout(self.second(fed), 0.1, self.training)
