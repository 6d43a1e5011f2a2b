"""What the contract of fusions has to know of each: its number of parameters, and which numbers of modalities it takes.

COUNTS: from the widths d of the modalities, in their order, and the width `dim` of what comes out, by default settings.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from math import prod

COUNTS: dict[str, Callable[[Sequence[int], int], int]] = {
    "concat": lambda d, dim: (sum(d) + 1) * dim,
    "gated": lambda d, dim: 2 * sum(d) * dim if len(d) == 2 else (1 + len(d)) * sum(d) * dim,
    "mean": lambda d, dim: sum(n + 1 for n in d) * dim if len(set(d)) > 1 else 0,
    "weighted": lambda d, dim: (sum(n + 1 for n in d) * dim if len(set(d)) > 1 else 0) + len(d),
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
}
TAKES: dict[str, Sequence[int]] = {}  # numbers of modalities, where not any: others are refused by name
