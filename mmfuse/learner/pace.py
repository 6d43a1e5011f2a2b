"""When a checkpoint is due: as soon as training has gone on for long enough that saving costs a hundredth of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

DEARTH = 100  # times as long as saving took is trained before it is saved again


class Pace:
    """What saving takes is known from the last time, so the first is due at once."""

    def __init__(self) -> None:
        self.cost, self.ended = 0.0, time.monotonic()  # seconds that it took, and when that was

    @property
    def due(self) -> bool:
        return self.waited(0.0)

    def waited(self, seconds: float) -> bool:
        """Whether it is due, and so many seconds have gone by as well."""
        return time.monotonic() - self.ended >= max(seconds, DEARTH * self.cost)

    @contextmanager
    def saving(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.ended = time.monotonic()
        self.cost = self.ended - began
