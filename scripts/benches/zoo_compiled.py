"""Every fusion under torch.compile against ours as it is. Takes minutes and a C++ compiler; has to be named."""

import time
from collections.abc import Iterator

import torch

from benches.row import Row
from benches.zoo import fusion_of, learning, steps_a_second
from mmfuse.config.catalog import Catalog


def rows() -> Iterator[Row]:
    for name in Catalog().options("fusion"):
        ours = fusion_of(name)
        torch.compiler.reset()
        runs = {
            "compiled": learning(name, torch.compile(ours.fuse, dynamic=False), ours),
            "eager": learning(name, ours.fuse, ours),
        }
        start = time.perf_counter()
        try:
            runs["compiled"]()
        except Exception as error:  # no compiler, say: whatever it is, the next one may do
            yield Row(f"{name}: not compiled, {type(error).__name__}", float("nan"), None, None, "steps/s")
            continue
        took = time.perf_counter() - start
        rate = steps_a_second(runs)
        about = f"steps/s, after {took:.0f} s of compilation"
        yield Row(f"{name}, torch.compile against ours", rate["compiled"], rate["eager"], None, about)
