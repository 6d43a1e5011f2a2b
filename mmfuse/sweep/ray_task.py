"""What a task of Ray's runs: the worker in a process of its own, so that its crash is nobody else's."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

SAVING = 60.0  # seconds that a worker is given to let go of the folder, when what started it has died


def work(run: Path, command: Sequence[str], cwd: Path, log: Path) -> int:
    """The worker's exit code. Ray stops a task by KeyboardInterrupt: then the worker is told to save and end."""
    with suppress(Timeout), FileLock(run / ".lock", timeout=SAVING):
        pass  # else a task that is tried again would be refused
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "mmfuse.sweep.leash", str(os.getpid()), sys.executable, *command],
            cwd=cwd if cwd.is_dir() else None,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (home(), os.environ.get("PYTHONPATH"))))},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
        try:
            return ended(process)
        except KeyboardInterrupt:
            process.terminate()
            return ended(process)


def ended(process: subprocess.Popen[bytes]) -> int:
    while process.poll() is None:  # an interrupt does not wake what waits for a process
        time.sleep(0.1)
    return process.returncode


def home() -> str:
    """Where mmfuse was imported from; Ray tells its own processes, and not what they start."""
    return str(Path(__file__).parents[2])
