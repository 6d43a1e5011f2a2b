"""Where warnings and tracebacks go, so that the screen is left to the run: a file in its folder."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmfuse.ranks import here


@contextmanager
def to_file(path: Path) -> Iterator[None]:
    """Everything that is logged or warned of within goes to this file, and nothing of it to the screen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    for name in ("pytorch_lightning", "lightning", "lightning.fabric", "lightning_fabric"):
        logging.getLogger(name).handlers.clear()  # they write to the screen
        logging.getLogger(name).propagate = True
        logging.getLogger(name).setLevel(logging.WARNING)  # below it they advertise
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        handler.close()


def own() -> str:
    """The name of this rank's file."""
    return f"rank{here().rank}.log"


def write_traceback(folder: Path, error: BaseException) -> Path:
    """Appends to the log of the seed that was training, or to the folder's own where none was."""
    logs = sorted(folder.glob(f"seed-*/logs/{own()}"), key=lambda log: log.stat().st_mtime)
    log = logs[-1] if logs else folder / "error.log"
    with open(log, "a", encoding="utf-8") as file:
        traceback.print_exception(error, file=file)
    return log
