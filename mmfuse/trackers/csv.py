"""Tables of comma-separated values, by Lightning's CSVLogger: metrics.csv and hparams.yaml a seed."""

from pathlib import Path
from typing import Any

from mmfuse.trackers.tracker import Tracker


class Csv(Tracker):
    def __init__(self, dir: str | None = None):
        """`dir` holds a folder for each run; None: the run's own folder."""
        self.dir = dir

    def open(self, name: str | None, run: Path, outputs: Path) -> Any:
        from pytorch_lightning.loggers import CSVLogger

        place = run / "csv" if self.dir is None else Path(self.dir) / run.name
        place.mkdir(parents=True, exist_ok=True)
        return CSVLogger(str(place), name="", version=name or "whole")
