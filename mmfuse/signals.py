"""Signals that end a run: Ctrl-C (SIGINT), SIGTERM, and Slurm's SIGUSR1."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from mmfuse.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@contextmanager
def handled_by(handler: Any) -> Iterator[None]:
    """Within, these signals go to the handler; only the main thread may say so, and elsewhere nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)


def interruption(error: BaseException | None) -> Interrupted | None:
    """The signal behind an error, where there is one: a file that was being written complains in its own way."""
    while error is not None and not isinstance(error, Interrupted):
        error = error.__cause__ or error.__context__
    return error
