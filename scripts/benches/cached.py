"""Batches of what an encoder said, mapped from the cache, against the same in memory. CPU time."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benches.held import prepared, settings
from benches.row import Row
from benches.timing import in_turns
from mmfuse.cache.entry import Entry, Said
from mmfuse.cache.values import Distinct
from mmfuse.run.encoded import by_row
from mmfuse.run.loader import loader
from mmfuse.types import Ragged


def rows(repeats: int = 10) -> Iterator[Row]:
    random, dim = np.random.default_rng(0), 384
    skewed = torch.from_numpy(random.lognormal(2.6, 0.9, 2_500).clip(3, 128).astype(np.int64))
    ones = torch.ones(50_000, dtype=torch.long)
    shared = random.integers(0, 5_000, 50_000)
    for name, lengths_, which in (
        ("vectors", ones, None),
        ("vectors shared by ten", ones[:5_000], shared),
        ("subwords", skewed, None),
        ("subwords shared by two", skewed, shared[:5_000] % 2_500),
    ):
        which = np.arange(len(lengths_)) if which is None else which
        held = Ragged(torch.randn(int(lengths_.sum()), dim), lengths_)
        values = Distinct(range(len(lengths_)), which, np.arange(len(lengths_)), "")
        y = torch.zeros(len(which), dtype=torch.long)
        with tempfile.TemporaryDirectory() as folder:
            entry = Entry(Path(folder) / "entry", {"what": "bench"}, len(lengths_), dim, part=len(lengths_))
            mapped = entry.made(lambda _, held=held: Said(held, []), lambda _: None).steps
            both = {"ours": by_row(mapped, values), "memory": by_row(held, values)}
            for size in (64, 256):
                epochs = {
                    k: loader(settings(size), prepared({"v": column}, {"y": y}, len(which)), np.arange(len(which)), 0)
                    for k, column in both.items()
                }
                took = in_turns(epochs, repeats)
                ours, rival = (len(which) / took[k] for k in both)
                yield Row(f"{name}, mapped, {size}, against memory", ours, rival, (">=", 0.9), "rows/s")
