"""Weights & Biases, by Lightning's WandbLogger: a run for each seed and one for the whole, in one group."""

from pathlib import Path
from typing import Any, Literal

from mmfuse.trackers.tracker import Tracker, require


class Wandb(Tracker):
    def __init__(
        self, project: str = "mmfuse", entity: str | None = None, mode: Literal["online", "offline"] = "offline"
    ):
        """`entity` is a team or a user; None: the one that is logged in."""
        require("wandb", "wandb")
        self.project, self.entity, self.mode = project, entity, mode

    def open(self, name: str | None, run: Path, outputs: Path) -> Any:
        from pytorch_lightning.loggers import WandbLogger

        class Ended(WandbLogger):
            def finalize(self, status: str) -> None:
                """A process has one run at a time, and the next seed needs its own."""
                super().finalize(status)
                self.experiment.finish(exit_code=0 if status == "success" else 1)

        return Ended(
            name=run.name if name is None else f"{run.name}/{name}",
            save_dir=str(run),
            project=self.project,
            offline=self.mode == "offline",
            entity=self.entity,
            group=run.name,
            job_type="whole" if name is None else "seed",
        )
