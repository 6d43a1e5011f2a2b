"""What the contract of fusions has to know of each: its number of parameters, and which numbers of modalities it takes.

COUNTS: from the widths d of the modalities, in their order, and the width `dim` of what comes out, by default settings.
"""

from collections.abc import Callable, Sequence

COUNTS: dict[str, Callable[[Sequence[int], int], int]] = {
    "concat": lambda d, dim: (sum(d) + 1) * dim,
    "gated": lambda d, dim: 2 * sum(d) * dim if len(d) == 2 else (1 + len(d)) * sum(d) * dim,
    "mean": lambda d, dim: sum(n + 1 for n in d) * dim if len(set(d)) > 1 else 0,
    "weighted": lambda d, dim: (sum(n + 1 for n in d) * dim if len(set(d)) > 1 else 0) + len(d),
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
}
TAKES: dict[str, Sequence[int]] = {  # numbers of modalities, where not any: others are refused by name
    "film": (2, 3, 4),
    "sigmoid_gate": (2, 3, 4),
    "mag": (2, 3, 4),
}
DECIDES = {"average", "product", "maximum", "vote"}  # take logits of classes: all of one width, and in model=late alone
MANY_OUTPUTS = DECIDES | {"mag"}  # make nothing of a task of one number in model=late, and refuse it
