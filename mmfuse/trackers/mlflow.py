"""MLflow, by Lightning's MLFlowLogger: a run for the whole, and a run within it for each seed."""

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmfuse.trackers.tracker import Tracker, require

if TYPE_CHECKING:
    from pytorch_lightning.loggers import MLFlowLogger


class MLflow(Tracker):
    def __init__(self, tracking_uri: str | None = None, experiment: str = "mmfuse"):
        """`tracking_uri` None is an SQLite file, mlflow.db, where run folders are made."""
        require("mlflow", "mlflow")
        self.tracking_uri, self.experiment = tracking_uri, experiment
        self.whole: str | None = None  # the id of the whole run, which others are within

    def open(self, name: str | None, run: Path, outputs: Path) -> "MLFlowLogger":
        logger = logger_class()(
            self.experiment,
            run_name=run.name if name is None else f"{run.name}/{name}",
            tracking_uri=self.tracking_uri or f"sqlite:///{outputs.resolve() / 'mlflow.db'}",
            tags=None if name is None else {"mlflow.parentRunId": self.whole, "mmfuse.run": run.name},
            artifact_location=None if self.tracking_uri else str(outputs.resolve() / "mlruns"),
        )
        if name is None:
            self.whole = logger.run_id
        return logger


def logger_class() -> Any:
    """MLflow's import takes seconds, so Lightning's logger is not made a class of ours before it is asked for."""
    import mlflow  # noqa: F401  # which sets up its logging
    from pytorch_lightning.loggers import MLFlowLogger

    for module in ("mlflow", "alembic"):  # which tell of every table that they make
        logging.getLogger(module).setLevel(logging.WARNING)

    class Named(MLFlowLogger):
        def log_metrics(self, metrics: Any, step: int | None = None) -> None:
            """MLflow refuses the @ of a view: val@text/digit/accuracy is val:text/digit/accuracy there."""
            super().log_metrics({mlflow_name(name): value for name, value in metrics.items()}, step)

    return Named


def mlflow_name(name: str) -> str:
    """
    >>> mlflow_name("val@text/digit/f1_macro"), mlflow_name("val/r@1")
    ('val:text/digit/f1_macro', 'val/r:1')
    """
    return re.sub(r"[^\w\-. :/]", "_", name.replace("@", ":"))
