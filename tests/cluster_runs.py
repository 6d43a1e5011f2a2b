"""Small runs that are given to clusters, and the same ones left alone."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from mmfuse.commands.running import as_yaml
from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.record import folder

SMALL = [
    "modalities=[image]",
    "fusion=concat",
    "batch_size=16",
    "early_stopping.patience=99",
    "threads=1",
    "bootstrap=200",
]


def planned(outputs: Path, seeds: int, epochs: int) -> list[Path]:
    """Folders of runs that have not begun, a run for each seed."""
    made = []
    for seed in range(seeds):
        overrides = [*SMALL, f"trainer.max_epochs={epochs}", f"seeds=[{seed}]", f"output_dir={outputs}"]
        config = as_yaml(compose(overrides, Catalog()))
        made.append(folder.create(outputs, f"run{seed}", config, "\n".join(overrides), "mmfuse train"))
    return made


def left_alone(runs: list[Path], beside: Path) -> list[str]:
    """What the metrics of the same runs are in the end, one after the other and undisturbed."""
    copies = [Path(shutil.copytree(run, beside / run.name)) for run in runs]
    code = "import sys; from mmfuse.worker import main; sys.exit(max(main([run, '--quiet']) for run in sys.argv[1:]))"
    subprocess.run([sys.executable, "-c", code, *map(str, copies)], check=True)
    return [(copy / "metrics.json").read_text() for copy in copies]


def status(run: Path) -> dict:
    return json.loads((run / "status.json").read_text())


def in_training(run: Path) -> bool:
    """Whether an epoch is done, and more are to come."""
    (history,) = [*run.glob("seed-*/history.csv")] or [None]
    return history is not None and len(history.read_text().splitlines()) > 1 and status(run)["state"] == "running"


def wait_until(true, seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def ended(launcher, count: int) -> dict[Path, int]:
    """The exit codes of so many runs, by their folders."""
    found: dict[Path, int] = {}

    def all_of_them() -> bool:
        found.update(launcher.ended())
        return len(found) >= count

    wait_until(all_of_them)
    return found
