"""What the contract of fusions has to know of each: its number of parameters, and which numbers of modalities it takes.

COUNTS: from the widths d of the modalities, in their order, and the width `dim` of what comes out, by default settings.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from math import prod


def block(dim: int, units: int) -> int:
    """Of a transformer block: attention whose keys have no bias, two layers, two normalizations."""
    return (4 * dim**2 + 3 * dim) + (2 * dim * units + units + dim) + 4 * dim


def cross(dim: int, units: int) -> int:
    """The same, with a normalization of the source."""
    return block(dim, units) + 2 * dim


def two_layers(wide: int, out: int) -> int:
    """With 64 units between."""
    return (wide + 1) * 64 + 65 * out


def pairs(d: Sequence[int]) -> int:
    return len(d) * (len(d) - 1) // 2


COUNTS: dict[str, Callable[[Sequence[int], int], int]] = {
    "concat": lambda d, dim: (sum(d) + 1) * dim,
    "gated": lambda d, dim: 2 * sum(d) * dim if len(d) == 2 else (1 + len(d)) * sum(d) * dim,
    "mean": lambda d, dim: sum(n + 1 for n in d) * dim if len(set(d)) > 1 else 0,
    "weighted": lambda d, dim: (sum(n + 1 for n in d) * dim if len(set(d)) > 1 else 0) + len(d),
    "attention": lambda d, dim: (sum(n + 1 for n in d) * dim if len(set(d)) > 1 else 0) + (dim + 2) * 64,
    "attention_steps": lambda d, dim: sum(n + 1 for n in d) * dim + (dim + 2) * 64,
    "cross_attention": lambda d, dim: sum(n + 1 for n in d) * dim + len(d) * (cross(dim, 128)) + 2 * dim,
    "bottleneck": lambda d, dim: sum(n + 1 for n in d) * dim + len(d) * 3 * block(dim, 128) + 4 * dim + 2 * dim,
    "perceiver": lambda d, dim: (
        sum(n + 1 for n in d) * dim + 16 * dim + 2 * (cross(dim, 128) + block(dim, 128)) + dim**2 + 3 * dim
    ),
    "mult": lambda d, dim: (
        40 * sum(n + 1 for n in d)
        + len(d) * (len(d) - 1) * (4 * cross(40, 160) + 80)
        + len(d) * (3 * block(dim // len(d), 4 * dim // len(d)) + 2 * dim // len(d))
        + 2 * (dim**2 + dim)
    ),
    "early": lambda d, dim: 4 * dim * (sum(d) + dim + 2),
    "early_tokens": lambda d, dim: sum(n + 1 for n in d) * dim + dim + 2 * block(dim, 128) + 2 * dim,
    "mfn": lambda d, dim: (
        256 * sum(d)
        + len(d) * 256 * 66
        + two_layers(128 * len(d), 128 * len(d))
        + two_layers(128 * len(d), 64)
        + 2 * two_layers(128 * len(d) + 64, 64)
        + two_layers(64 * len(d) + 64, dim)
    ),
    "context": lambda d, dim: 2 * 128 * 4 * (sum(d) + 130) + 257 * dim,
    "catf": lambda d, dim: (
        sum(n + 1 for n in d) * dim + (dim + 2) * dim + 8 * dim * (dim + 1) + 64 * (3 * dim + 1) * dim
    ),
    "mmmu_ba": lambda d, dim: sum(n + 1 for n in d) * 100,
    "hierarchical": lambda d, dim: (
        (sum(n + 1 for n in d) + 3 * pairs(d) + (pairs(d) + 1) * (pairs(d) > 1)) * dim  # without a network
    ),
    "sum": lambda d, dim: sum(n + 1 for n in d) * dim if len(set(d)) > 1 else 0,
    "tfn": lambda d, dim: (prod(n + 1 for n in d) + 1) * dim,  # no width is above 32
    "lmf": lambda d, dim: 4 * dim * sum(n + 1 for n in d) + 4 + dim,
    "mlb": lambda d, dim: sum(n + 1 for n in d) * 256 + 257 * dim,
    "mutan": lambda d, dim: sum(n + 1 for n in d) * 128 + len(d) * 129 * 5 * 128 + 129 * dim,
    "mfb": lambda d, dim: sum(n + 1 for n in d) * 5 * dim,
    "mfh": lambda d, dim: sum(n + 1 for n in d) * 5 * dim,
    "interaction": lambda d, dim: (sum(d) + sum(n * m for n, m in combinations(d, 2)) + 1) * dim,
    "mcb": lambda d, dim: 2049 * dim,
    "block": lambda d, dim: sum(n + 1 for n in d) * 320 + len(d) * 17 * 15 * 320 + 321 * dim,
    "film": lambda d, dim: (d[-1] + 1) * 2 * sum(d[:-1]) + (sum(d[:-1]) + 1) * dim,
    "sigmoid_gate": lambda d, dim: sum(d) * dim + dim * dim,
    "mag": lambda d, dim: sum((2 * n + d[0] + 1) * d[0] for n in d[1:]) + 3 * d[0],
    "deep": lambda d, dim: (sum(d) + 1) * dim + (dim + 1) * dim,
    "moe": lambda d, dim: (
        sum((n + 1) * 128 + 129 * dim for n in (*d, sum(d))) + (len(d) + 1) * (sum(d) + 1)  # hidden is 128
    ),
    "misa": lambda d, dim: (sum(n + 3 for n in d) + (len(d) + 2) * (dim + 1) + (4 + 2 * len(d)) * dim + 3) * dim,
    "average": lambda d, dim: 0,
    "product": lambda d, dim: 0,
    "maximum": lambda d, dim: 0,
    "vote": lambda d, dim: 0,
    "stacking": lambda d, dim: 0,
    "tmc": lambda d, dim: 0,
    "qmf": lambda d, dim: 0,
    "pdf": lambda d, dim: len(d) * ((d[0] + 1) * 64 + 65),
}
TAKES: dict[str, Sequence[int]] = {  # numbers of modalities, where not any: others are refused by name
    "cross_attention": (2, 3, 4),
    "mult": (2, 3, 4),
    "film": (2, 3, 4),
    "sigmoid_gate": (2, 3, 4),
    "mag": (2, 3, 4),
    "mmmu_ba": (2, 3, 4),
    "hierarchical": (2, 3, 4),
}
UNALIGNED = {
    name: {"align": "resample"} for name in ("early", "mfn", "context", "catf", "mmmu_ba", "hierarchical")
}  # keys, where modalities are not aligned
STEPS = {
    "early",
    "mfn",
    "mult",
    "context",
    "catf",
}  # have weights that only several steps have use for, and late and task have one
DECIDES = {"average", "product", "maximum", "vote", "stacking", "tmc", "qmf", "pdf"}  # logits of classes, in model=late
MANY_OUTPUTS = DECIDES | {"mag"}  # make nothing of a task of one number in model=late, and refuse it
NOT_AT: dict[str, Sequence[str]] = dict.fromkeys(DECIDES, ("feature", "task"))  # levels at which it is refused
NOT_AT |= dict.fromkeys(
    ("film", "sigmoid_gate", "mag", "cross_attention", "mult", "mmmu_ba", "hierarchical"), ("task",)
)  # of a single task
