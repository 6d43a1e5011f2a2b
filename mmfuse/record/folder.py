"""A run's folder: made once, never reused, and gone again if the run never began."""

import os
import secrets
import shutil
import time
from pathlib import Path

from mmfuse.atomic import write_text
from mmfuse.errors import ConfigError


def create(outputs: Path, name: str, config: str, overrides: str, command: str) -> Path:
    """outputs/<name>-<MMDD-HHMMSS>-<4 hex> with config.yaml, overrides.txt and command.sh in it."""
    folder = outputs / f"{name}-{time.strftime('%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    try:
        outputs.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        write_text(folder / "config.yaml", config)
        write_text(folder / "overrides.txt", overrides)
        write_text(folder / "command.sh", f"#!/bin/sh\n{command}\n")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ConfigError(
            f"the run's folder cannot be made in {outputs}: {error.strerror or error}\n"
            "  to go on: output_dir=DIR, a folder that can be written"
        ) from error
    return folder


def point_latest(folder: Path) -> None:
    """outputs/latest leads to this run."""
    beside = folder.parent / f".latest.{os.getpid()}"
    try:
        beside.symlink_to(folder.name)
        os.replace(beside, folder.parent / "latest")
    except OSError:  # a file system without links, or a folder of that name: the link is a convenience
        beside.unlink(missing_ok=True)


def discard(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
