"""Where figures are sent besides the run's own record, by one of Lightning's loggers."""

from abc import ABC, abstractmethod
from importlib.util import find_spec
from pathlib import Path
from typing import Any


class Tracker(ABC):
    """Of one run: a tracker's run for each seed of each fold, and one for the whole, of which they are parts."""

    @abstractmethod
    def open(self, name: str | None, run: Path, outputs: Path) -> Any:
        """Lightning's logger of one seed by its folder's name, or of the whole, None, which is opened first.

        `run` is the run's folder, and `outputs` where run folders are made. None where nothing is to be sent.
        """


def require(package: str, extra: str) -> None:
    if find_spec(package) is None:
        raise ValueError(f"{package} is not installed\n  to go on: pip install 'mmfuse[{extra}]', or logger=none")
