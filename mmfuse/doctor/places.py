"""Where data lie, where what frozen encoders say is kept, and where runs are recorded."""

import os
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock

from mmfuse.cache import place
from mmfuse.doctor.finding import Finding

SECTION = "places"
LITTLE = 2e9  # bytes


def findings(outputs: Path) -> list[Finding]:
    return [data(), cache(), *runs(outputs)]


def data() -> Finding:
    named = os.environ.get("MMFUSE_DATA")
    folder = Path(named or "data")
    if folder.is_dir():
        sets = sum(entry.is_dir() for entry in folder.iterdir())
        return Finding(SECTION, "data", f"{folder}   {sets} folders" + ("" if named else "   (MMFUSE_DATA is not set)"))
    if named:
        return Finding(SECTION, "data", f"MMFUSE_DATA={named}: no such folder", "warning", "MMFUSE_DATA=DIR")
    return Finding(
        SECTION, "data", "MMFUSE_DATA is not set: dataset.root names a folder, or MMFUSE_DATA=DIR all of them"
    )


def cache() -> Finding:
    root = place.root()
    if not root.is_dir():
        return Finding(SECTION, "cache", f"{root}   not made yet")
    return Finding(SECTION, "cache", f"{root}   {place.size(sum(entry.bytes for entry in place.kept()))}")


def runs(outputs: Path) -> list[Finding]:
    """Whether runs can be recorded in the folder, and told apart by locks; it need not be there yet."""
    there = next(folder for folder in (outputs.absolute(), *outputs.absolute().parents) if folder.is_dir())
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=there) as folder:
            locked = lockable(Path(folder) / "lock")
    except OSError as error:
        why = f"{outputs}: cannot be written: {error.strerror or error}"
        return [Finding(SECTION, "outputs", why, "broken", "output_dir=DIR, a folder that can be written")]
    free = shutil.disk_usage(there).free
    room = f"{outputs}   {place.size(free)} free"
    found = [Finding(SECTION, "outputs", room)]
    if free < LITTLE:
        found = [Finding(SECTION, "outputs", room, "warning", "output_dir=DIR, on another disk; mmfuse cache clear")]
    if not locked:
        why = f"{outputs}: its file system has no locks, and two processes could be at one run"
        found.append(
            Finding(SECTION, "locks", why, "warning", "output_dir=DIR, elsewhere; or never resume what still runs")
        )
    return found


def lockable(path: Path) -> bool:
    try:
        with FileLock(path, timeout=1):
            return True
    except (OSError, NotImplementedError):
        return False
