"""Where a sweep's runs come from: a plan that is known beforehand, or a search that learns from those that ended."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from mmfuse.sweep.plan import Run


class Source(ABC):
    @property
    @abstractmethod
    def total(self) -> int:
        """How many runs there are to be in all."""

    @abstractmethod
    def more(self, room: int) -> list[Run]:
        """At most so many to be started now. None where all have been given, or where some must end first."""

    @property
    @abstractmethod
    def exhausted(self) -> bool:
        """Whether no more are to come."""

    @abstractmethod
    def ended(self, run: Run, folder: Path, state: str) -> None:
        """A run is done, or has failed for good."""

    def gives_up(self, folder: Path) -> bool:
        """Whether the run, which runs, is to be ended for it promises nothing. Asked every second."""
        return False

    def lines(self, command: Sequence[str]) -> list[str]:
        """What came of it, besides each run's figures; `command` and what is typed for all are what runs have alike."""
        return []


class Listed(Source):
    def __init__(self, runs: Sequence[Run]):
        self.runs, self.given = runs, 0

    @property
    def total(self) -> int:
        return len(self.runs)

    def more(self, room: int) -> list[Run]:
        found = list(self.runs[self.given : self.given + room])
        self.given += len(found)
        return found

    @property
    def exhausted(self) -> bool:
        return self.given == len(self.runs)

    def ended(self, run: Run, folder: Path, state: str) -> None:
        """The plan is what it is."""
