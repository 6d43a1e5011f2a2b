"""Where the runs of a sweep are run: slots of this machine, jobs of a cluster.

A run is a folder. What is started is `python -m mmfuse.worker FOLDER`, wherever that is; it begins a run or goes on
with one, and the folder's status.json says how it is.
"""

import json
import os
import signal
import socket
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mmfuse.errors import ConfigError


class Launcher(ABC):
    """Told which runs to start, it tells which have ended."""

    alike = True  # whether a run's devices are such as are here, so that encoders say the same there

    @property
    @abstractmethod
    def room(self) -> int:
        """How many more runs it would take now; a cluster's queue takes any number."""

    @abstractmethod
    def start(self, folders: Sequence[Path]) -> None:
        """No more than there is room for."""

    def start_as_one(self, folders: Sequence[Path]) -> None:
        """Runs that are trained as one, which takes the room of one. Each ends with the exit code of all."""
        raise ConfigError("sweep.stack: only launcher=local trains several runs as one\n  to go on: sweep.stack=1")

    @abstractmethod
    def ended(self) -> list[tuple[Path, int]]:
        """Runs that have ended since it was last asked, with exit codes: the commands', or minus a signal's number."""

    def end(self, folder: Path) -> None:
        """Asks one run to save and end, and does not wait. Here: by its process, if that is of this machine."""
        with suppress(OSError, ValueError, KeyError):
            about = json.loads((folder / "status.json").read_text(encoding="utf-8"))
            if about["host"] == socket.gethostname():
                os.kill(about["pid"], signal.SIGTERM)

    def logs(self, sweep: Path) -> str:
        """Where what runs said is."""
        return f"{sweep}/*/output.log"

    @abstractmethod
    def stop(self) -> None:
        """Asks all that run to save and end, and waits until they have."""

    @abstractmethod
    def close(self) -> None:
        """Nothing is started after this; what is left of processes ends."""
