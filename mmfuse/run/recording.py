"""Writes down how a replicate goes."""

from collections.abc import Mapping

from mmfuse.listener import Listener
from mmfuse.record.history import History
from mmfuse.record.status import Status
from mmfuse.run.tracking import Track


class Recording(Listener):
    """Writes down what it hears, and passes it on."""

    def __init__(self, listener: Listener, history: History, status: Status, track: Track | None = None):
        self.listener, self.history, self.status, self.track = listener, history, status, track

    def replicate(self, name: str, epochs: int, steps: int | None) -> None:
        self.listener.replicate(name, epochs, steps)

    def step(self, done: int, rows: int, loss: float) -> None:
        self.status.beat()
        self.listener.step(done, rows, loss)

    def epoch(self, figures: Mapping[str, float | int]) -> None:
        self.history.add(dict(figures))
        if self.track is not None:
            self.track.epoch(figures)
        self.listener.epoch(figures)
