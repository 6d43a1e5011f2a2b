"""Times of several, taken in turns, so that whatever else the machine does comes to all of them alike.

Where the work is done in the process, the clock is its CPU time: what other processes take of a core is not counted.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from statistics import median
from typing import Any

REPEATS = 5
Clock = Callable[[], float]


class Again:
    """An iterable that starts anew each time."""

    def __init__(self, start: Callable[[], Iterator[Any]]):
        self.start = start

    def __iter__(self) -> Iterator[Any]:
        return self.start()


def spent(work: Callable[[], Any], clock: Clock = time.process_time) -> float:
    began = clock()
    work()
    return clock() - began


def in_turns(
    each: Mapping[str, Iterable[Any]], repeats: int = REPEATS, clock: Clock = time.process_time
) -> dict[str, float]:
    """The median of the seconds that it takes to go through each; the first of several turns is not counted."""
    took: dict[str, list[float]] = {name: [] for name in each}
    for turn in range(repeats + 1):
        for name, items in each.items():
            began = clock()
            for _ in items:
                pass
            if turn:
                took[name].append(clock() - began)
    return {name: median(seconds) for name, seconds in took.items()}
