"""What sweeps cost: plans, status, start-up in a warm slot, and short runs side by side on two cores. Wall time.

The last one is against the same runs one after the other, each in a process of its own.
"""

from collections.abc import Iterator

import bench_sweep

from benches.row import Row


def rows(runs: int = 12, epochs: int = 20) -> Iterator[Row]:
    for count, seconds in bench_sweep.plans():
        yield Row(f"{count:,} runs composed and checked", seconds, None, ("<", 60.0), "s")
    yield Row("status of 10,000 runs, Python's start included", bench_sweep.status(), None, ("<", 2.0), "s")
    first, *rest = bench_sweep.start()
    yield Row("a run's start in a warm slot, the slowest but the first", max(rest), None, ("<", 0.3), "s")
    yield Row("  the first", first, None, None, "s")
    alone, together = bench_sweep.side_by_side(runs, epochs)
    rates = (60 * runs / together, 60 * runs / alone)
    yield Row(f"{runs} runs of {epochs} epochs, as a sweep, against one by one", *rates, (">=", 1.8), "runs/min")
