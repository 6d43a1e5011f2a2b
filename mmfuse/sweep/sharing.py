"""Who works at a study that many may share, and whether they still do.

A worker is a process that asks for trials and sees to their runs. Its beat is in the study, for other machines to see.
"""

import os
import secrets
import socket
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

BEAT = 60.0  # seconds
SILENCE = 600.0  # seconds without a beat, after which a worker on another machine is taken for dead


class Worker:
    def __init__(self, study: "Study", folder: Path, sole: bool):
        """`folder` is the sweep's; `sole`: nobody else can be at it, for this process holds its lock."""
        self.study, self.folder, self.sole = study, str(folder.resolve()), sole
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.beaten = 0.0
        self.beat()

    def beat(self) -> None:
        if time.time() - self.beaten > BEAT:
            self.beaten = time.time()
            self.study.set_user_attr(f"beat {self.name}", self.beaten)

    def gone(self, trial: "FrozenTrial", signs: Mapping[str, Any]) -> bool:
        """Whether nobody sees to a trial that is said to run; `signs` are the study's attributes, beats among them."""
        name = trial.user_attrs.get("worker")
        if name is None:  # killed between asking and signing, unless it is about to sign
            begun = trial.datetime_start
            return begun is None or abs((datetime.now() - begun).total_seconds()) > BEAT
        if name == self.name:
            return False
        host, pid, _ = name.rsplit(":", 2)
        if self.sole and trial.user_attrs.get("sweep") == self.folder:
            return True
        if host == socket.gethostname() and not alive(int(pid)):
            return True
        return time.time() - signs.get(f"beat {name}", 0.0) > SILENCE


def alive(pid: int) -> bool:
    """
    >>> alive(os.getpid())
    True
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    return True
