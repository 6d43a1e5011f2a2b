"""What runs are doing, by their folders only. Torch is not imported, and nothing but a small file is read of each."""

import json
import os
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from mmfuse.record import pruned
from mmfuse.sweep import place

SILENCE = 600.0  # seconds without a heartbeat, after which a run on another machine is taken for dead
HERE = socket.gethostname()
MOST = 1 << 20  # bytes of a status
ORDER = ("running", "stale", "failed", "preempted", "pruned", "waiting", "done")


class Standing(NamedTuple):
    name: str
    folder: Path
    state: str  # one of ORDER
    beaten: float | None  # seconds since its last heartbeat
    error: str | None  # of one that failed; of one that was pruned, by what and when


class Group(NamedTuple):
    """A sweep, or runs that lie beside each other."""

    folder: Path
    sweep: bool
    runs: list[Standing]

    @property
    def counts(self) -> dict[str, int]:
        found = dict.fromkeys(ORDER, 0)
        for run in self.runs:
            found[run.state] += 1
        return {state: n for state, n in found.items() if n}


def groups(folder: Path) -> Iterator[Group]:
    """A run, a sweep, or a folder of both, in which runs come last."""
    if (folder / place.FILE).exists():
        yield of_sweep(folder)
    elif (run := standing(folder)) is not None:
        yield Group(folder.parent, False, [run])
    else:
        inside = sorted(Path(entry) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
        sweeps = [each for each in inside if (each / place.FILE).exists()]
        yield from map(of_sweep, sweeps)
        alone = [run for each in inside if each not in sweeps and (run := standing(each)) is not None]
        if alone:
            yield Group(folder, False, alone)


def of_sweep(folder: Path) -> Group:
    """With the runs that are planned and have no folder yet."""
    _, runs = place.load(folder)
    return Group(
        folder, True, [standing(folder / run.folder) or waiting(run.folder, folder / run.folder) for run in runs]
    )


def standing(folder: Path) -> Standing | None:
    """None where it is not the folder of a run."""
    about = read(folder)
    if about is None:
        return None
    state, beaten = about["state"], since(about.get("heartbeat"))
    error = about.get("error") if state == "failed" else None
    if state == "created":
        state = "running" if alive(about, beaten) else "waiting"
    elif state == "running" and not alive(about, beaten):
        state = "stale"
    if state in ("preempted", "stale") and (why := pruned.told(folder)) is not None:
        state, error = "pruned", pruned.in_words(why)
    return Standing(folder.name, folder, state, beaten, error)


def read(folder: Path) -> dict[str, Any] | None:
    try:
        file = os.open(f"{folder}/status.json", os.O_RDONLY)  # of ten thousand, `open` takes a third of the time
        try:
            text = os.read(file, MOST)
        finally:
            os.close(file)
        about: dict[str, Any] = json.loads(text.decode())
    except (OSError, ValueError):
        return None
    return about if about.get("state") in ("created", "running", "preempted", "done", "failed") else None


def waiting(name: str, folder: Path) -> Standing:
    return Standing(name, folder, "waiting", None, None)


def since(heartbeat: str | None) -> float | None:
    try:
        return max(0.0, time.time() - datetime.fromisoformat(str(heartbeat)).timestamp())
    except ValueError:
        return None


def alive(about: dict[str, Any], beaten: float | None) -> bool:
    """Its process, where it is of this machine; else whether its heart has beaten of late."""
    if about.get("host") != HERE:
        return beaten is not None and beaten < SILENCE
    try:
        os.kill(int(about["pid"]), 0)
    except (ProcessLookupError, KeyError, ValueError):
        return False
    except PermissionError:  # it is somebody else's
        return True
    return True
