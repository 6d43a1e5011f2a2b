"""The share of padding in batches of sequences, batched by length."""

from collections.abc import Iterator

import numpy as np

from benches.row import Row
from mmfuse.data.by_length import ByLength, padded
from mmfuse.data.order import Order


def rows(n: int = 20_000) -> Iterator[Row]:
    random = np.random.default_rng(0)

    def skewed() -> np.ndarray:
        return random.lognormal(3.4, 0.8, n).clip(5, 200).astype(np.int64)

    first = skewed()
    near = (first * random.uniform(0.8, 1.2, n)).clip(1, 200).astype(np.int64)
    for name, each in {
        "one modality": {"a": first},
        "two, as long as each other": {"a": first, "b": first},
        "two, within a fifth of each other": {"a": first, "b": near},
        "two of unrelated lengths": {"a": first, "b": skewed()},
    }.items():
        table = np.stack(list(each.values()), axis=1)
        plain, sorted_ = (padded(list(o), table) for o in (Order(range(n), 64, 0), ByLength(range(n), 64, 0, each)))
        goal = None if "unrelated" in name else ("<", 15.0)
        yield Row(f"padding by length, {name}", 100 * sorted_, None, goal, "% of steps")
        yield Row("  the same rows as they come", 100 * plain, None, None, "% of steps")
