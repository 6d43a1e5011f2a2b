"""Checkpoints that are whole or not there: written beside their place, flushed to disk, then renamed.

Lightning's own go by way of the temporary folder; where that is another file system, half a file can be left.
"""

import os
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

LAST, BEFORE = "last.ckpt", "previous.ckpt"  # the newest, and the one before it, should a disk have torn the newest


class AtomicCheckpoints(TorchCheckpointIO):
    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | os.PathLike, storage_options: Any = None) -> None:
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.with_name(f".{place.name}.{os.getpid()}")
        try:
            with open(beside, "wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            if place.name == LAST and place.exists():
                os.replace(place, place.with_name(BEFORE))
            os.replace(beside, place)
        finally:
            beside.unlink(missing_ok=True)


class Newest(NamedTuple):
    path: Path
    epoch: int  # in which training goes on
    batches: int  # of that epoch, that have been trained on
    torn: Path | None  # a newer one, that cannot be read


def newest(folder: Path) -> Newest | None:
    """The newest checkpoint that is whole; None where there is none."""
    torn = None
    for path in (folder / LAST, folder / BEFORE):
        if not path.exists():
            continue
        saved = read(path)
        if saved is not None and "place" in saved:
            epoch, batches = saved["place"]
            return Newest(path, epoch, batches, torn)
        torn = torn or path
    return None


def read(path: Path) -> dict[str, Any] | None:
    """None of a file that is torn, or whose sums are not what they were when it was written."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return None
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, zipfile.BadZipFile, UnpicklingError, RuntimeError, EOFError, KeyError):
        return None
