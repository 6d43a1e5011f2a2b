"""Where the runs of a sweep are run: slots of this machine, jobs of a cluster.

A run is a folder. What is started is `python -m mmfuse.worker FOLDER`, wherever that is; it begins a run or goes on
with one, and the folder's status.json says how it is.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from mmfuse.errors import ConfigError


class Launcher(ABC):
    """Told which runs to start, it tells which have ended."""

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

    @abstractmethod
    def stop(self) -> None:
        """Asks all that run to save and end, and waits until they have."""

    @abstractmethod
    def close(self) -> None:
        """Nothing is started after this; what is left of processes ends."""
