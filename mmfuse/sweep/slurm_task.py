"""What a job of Slurm's runs: the worker, and what becomes of the job when the worker was told to stop.

Slurm sends submitit's signal, SIGUSR2, some time before the limit. All processes of a job get it: the worker ignores
it, and only the process here hears it, and tells the worker by SIGTERM. Where Slurm takes a node back for a job that
comes first, all get SIGTERM, and nothing is passed on: a second signal would not let the worker save. Either way it
saves at a step's end and exits with 75, and a job that is not on its way out by itself is put back into the queue.
Whoever tells the worker alone wants it to end, and not to come back.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import submitit
from submitit.core.utils import UncompletedJobError

from mmfuse.record.status import Status
from mmfuse.sweep import slurm_queue

PREEMPTED = 75
SAVED = (PREEMPTED, -signal.SIGTERM)  # the latter before it could listen


class Task:
    """Pickled by submitit, and called in the job; `command` is run in the folder that the jobs are submitted from."""

    def __init__(self, run: Path, command: Sequence[str]):
        self.run, self.command = run, tuple(command)
        self.limit = self.taken = False

    def __call__(self) -> int:
        number = signal.Signals[f"SIG{submitit.JobEnvironment.USR_SIG}"]
        requeue: Any = signal.signal(number, self.hear_limit)  # submitit's handler, which puts the job back
        signal.signal(signal.SIGTERM, self.hear_taken)
        process = subprocess.Popen(
            self.command, preexec_fn=lambda: signal.signal(number, signal.SIG_IGN), stdin=subprocess.DEVNULL
        )
        told = False
        while process.poll() is None:
            if self.limit and not told:
                process.terminate()
                told = True
            time.sleep(0.1)
        code = process.returncode
        if code in SAVED and (told or (self.taken and self.stays())):
            try:
                requeue(number, None)  # leaves the process, but for ranks other than the first
            except UncompletedJobError as error:
                why = f"its time ran out more often than launcher.max_requeues allows: {error}"
                Status(self.run).say("failed", exit_code=4, error=why)
                raise
        if code == -signal.SIGTERM and self.taken:
            Status(self.run).say("preempted", exit_code=PREEMPTED)
        elif code < 0:  # it could not say so itself
            Status(self.run).say("failed", exit_code=code, error=f"killed by {signal.Signals(-code).name}")
        if code:
            sys.exit(code if code > 0 else 128 - code)
        return code

    def hear_limit(self, number: int, frame: FrameType | None) -> None:
        self.limit = True

    def hear_taken(self, number: int, frame: FrameType | None) -> None:
        self.taken = True

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """Asked for by submitit, of what the job does when it runs again: the same."""
        self.limit = self.taken = False
        return submitit.helpers.DelayedSubmission(self)

    def stays(self) -> bool:
        """False where the job was cancelled, or Slurm puts it back by itself."""
        job = os.environ["SLURM_JOB_ID"]
        try:
            said = slurm_queue.asked("squeue", "--noheader", "--format=%T", f"--jobs={job}")
        except slurm_queue.SilentError:
            return False
        return said.split()[:1] == ["RUNNING"]
