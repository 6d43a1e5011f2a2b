"""Event files for TensorBoard, by Lightning's TensorBoardLogger: `tensorboard --logdir outputs` shows all runs."""

from pathlib import Path
from typing import Any

from mmfuse.trackers.tracker import Tracker, require


class TensorBoard(Tracker):
    def __init__(self, dir: str | None = None):
        """`dir` holds a folder for each run; None: the run's own folder."""
        require("tensorboard", "tensorboard")
        self.dir = dir

    def open(self, name: str | None, run: Path, outputs: Path) -> Any:
        from pytorch_lightning.loggers import TensorBoardLogger

        place = run / "tensorboard" if self.dir is None else Path(self.dir) / run.name
        return TensorBoardLogger(str(place), name="", version=name or "whole", default_hp_metric=False)
