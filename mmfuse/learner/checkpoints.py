"""Checkpoints that are whole or not there: written beside their place, flushed to disk, then renamed.

Lightning's own go by way of the temporary folder; where that is another file system, half a file can be left.

The best is held in memory until the next one to go on from is written, in front of it: so each that is gone on from
finds the best that it knows of, or one that is made again, and many a best is never written.
"""

import copy
import os
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from mmfuse.atomic import write

LAST, BEFORE = "last.ckpt", "previous.ckpt"  # the newest, and the one before it, should a disk have torn the newest
BEST = "best.ckpt"  # whose weights are wanted, and from which nobody goes on


class AtomicCheckpoints(TorchCheckpointIO):
    def __init__(self) -> None:
        super().__init__()
        self.held: tuple[dict[str, Any], Path] | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | os.PathLike, storage_options: Any = None) -> None:
        if Path(path).name == BEST:
            self.held = copied({k: v for k, v in checkpoint.items() if k != "optimizer_states"}), Path(path)
        else:
            self.flush()
            written(checkpoint, Path(path))

    def flush(self) -> None:
        if self.held is not None:
            written(*self.held)
            self.held = None


def written(checkpoint: dict[str, Any], place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)

    def fill(beside: Path) -> None:
        with open(beside, "wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())
        if place.name == LAST and place.exists():
            os.replace(place, place.with_name(BEFORE))

    write(place, fill)


def copied(part: Any) -> Any:
    """As it is now, on the CPU: training goes on in the same tensors."""
    if isinstance(part, torch.Tensor):
        return part.detach().to("cpu", copy=True)
    if isinstance(part, dict):
        return type(part)((key, copied(value)) for key, value in part.items())
    return [copied(value) for value in part] if type(part) is list else copy.deepcopy(part)


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
