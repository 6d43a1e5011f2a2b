"""status.json: what a run is doing, true also after it was killed, for its heartbeat then stops."""

import json
import os
import socket
import time
from pathlib import Path
from typing import Literal

from mmfuse.atomic import as_json, full, write_text
from mmfuse.ranks import here
from mmfuse.record.manifest import now

State = Literal["created", "running", "preempted", "done", "failed"]


class Status:
    def __init__(self, folder: Path):
        self.path = folder / "status.json"
        self.state: State = "created"
        self.beaten = 0.0

    def say(self, state: State, exit_code: int | None = None, error: str | None = None) -> None:
        if not here().first:
            return
        self.state, self.beaten = state, time.time()
        about = {"state": state, "heartbeat": now(), "exit_code": exit_code}
        where = {"host": socket.gethostname(), "pid": os.getpid()}
        job = {"job": os.environ["SLURM_JOB_ID"]} if "SLURM_JOB_ID" in os.environ else {}
        text = as_json(about | where | job | ({"error": error} if error else {}))
        try:
            write_text(self.path, text)
        except OSError as short:
            if not full(short) or not self.path.exists():
                raise
            self.path.write_text(text, encoding="utf-8")  # what it takes of a full disk is its own already

    def beat(self) -> None:
        """Still running; written every few seconds at most."""
        if time.time() - self.beaten > 5:
            self.say(self.state)

    @staticmethod
    def read(folder: Path) -> str | None:
        """The state that a run's folder tells of; None where it tells none."""
        try:
            return json.loads((folder / "status.json").read_text(encoding="utf-8"))["state"]
        except (OSError, ValueError, KeyError):
            return None
