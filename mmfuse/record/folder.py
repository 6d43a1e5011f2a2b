"""A run's folder: made once, never reused, and gone again if the run never began."""

import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmfuse.atomic import write_text
from mmfuse.errors import ConfigError
from mmfuse.record.status import Status


def create(outputs: Path, name: str, config: str, overrides: str, command: str) -> Path:
    """outputs/<name>-<MMDD-HHMMSS>-<4 hex> with config.yaml, overrides.txt and command.sh in it."""
    folder = outputs / f"{name}-{time.strftime('%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    try:
        outputs.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        fill(folder, config, overrides, command)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ConfigError(
            f"the run's folder cannot be made in {outputs}: {error.strerror or error}\n"
            "  to go on: output_dir=DIR, a folder that can be written"
        ) from error
    return folder


def fill(folder: Path, config: str, overrides: str, command: str) -> None:
    """Its status comes last: a folder that has one is whole."""
    write_text(folder / "config.yaml", config)
    write_text(folder / "overrides.txt", overrides)
    write_text(folder / "command.sh", f"#!/bin/sh\n{command}\n")
    Status(folder).say("created")


def point_latest(folder: Path) -> None:
    """outputs/latest leads to this run."""
    beside = folder.parent / f".latest.{os.getpid()}"
    try:
        beside.symlink_to(folder.name)
        os.replace(beside, folder.parent / "latest")
    except OSError:  # a file system without links, or a folder of that name: the link is a convenience
        beside.unlink(missing_ok=True)


def of_job(outputs: Path, overrides: str) -> Path | None:
    """The folder of the same experiment, that this job of Slurm's began before it was put back into the queue."""
    job = os.environ.get("SLURM_JOB_ID") if int(os.environ.get("SLURM_RESTART_COUNT") or 0) else None
    for status in sorted(outputs.glob("*/status.json")) if job else ():
        try:
            same = (status.parent / "overrides.txt").read_text(encoding="utf-8") == overrides
            if same and json.loads(status.read_text(encoding="utf-8")).get("job") == job:
                return status.parent
        except (OSError, ValueError):
            continue
    return None


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Within, no other process may write there; a process that dies lets go."""
    from filelock import FileLock, Timeout  # which takes longer than all else that tells how runs stand

    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise ConfigError(
            f"{folder}: another process is at this run\n  to go on: wait for it, or stop it; status.json names it"
        ) from error
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def is_held(folder: Path) -> bool:
    """Whether a process is at it."""
    if not (folder / ".lock").exists():
        return False
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / ".lock", timeout=0):
            return False
    except Timeout:
        return True


def discard(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
