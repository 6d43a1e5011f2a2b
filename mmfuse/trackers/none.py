"""No tracker: the record in the run's folder is all there is."""

from pathlib import Path

from mmfuse.trackers.tracker import Tracker


class Untracked(Tracker):
    def open(self, name: str | None, run: Path, outputs: Path) -> None:
        return None
