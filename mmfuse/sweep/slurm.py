"""Runs as jobs of Slurm's, by submitit: a job array of those that are started together.

Jobs need nobody to wait for them: what takes them back saves and goes into the queue again, with the same folder.
Where the sweep is gone on with, jobs that are still in the queue are waited for, and not submitted again.
"""

import importlib.util
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mmfuse.atomic import write_json
from mmfuse.errors import ConfigError, offer
from mmfuse.sweep import slurm_queue
from mmfuse.sweep.launcher import Launcher
from mmfuse.sweep.lost import exit_code, lost

if TYPE_CHECKING:
    import submitit

NAME = "mmfuse"  # of jobs, as squeue shows it
JOB = "job.json"  # in a run's folder: the job that it was given to
LOGS = "slurm"  # beside the runs: scripts of jobs, and what they said
UNLIMITED = 1_000_000
PATIENCE = 300.0  # seconds that jobs are given to save and end


class Given(NamedTuple):
    job: str
    before: str  # what status.json said when it was submitted


class SlurmLauncher(Launcher):
    def __init__(
        self,
        partition: str | None = None,
        account: str | None = None,
        qos: str | None = None,
        time_min: int = 240,
        cpus: int | None = None,
        gpus: int = 0,
        mem_gb: float | None = None,
        nodes: int = 1,
        tasks_per_node: int = 1,
        array_parallelism: int = 256,
        at_once: int | None = None,
        max_requeues: int = 10,
        setup: Sequence[str] = (),
        signal_delay_s: int = 120,
        poll_s: float = 5.0,
        allow: Sequence[str] = (),
        threads: int = 1,
    ):
        if signal_delay_s >= time_min * 60:
            raise ValueError(f"signal_delay_s={signal_delay_s}: less than the {time_min} minutes of time_min is needed")
        refuse_unless_slurm(partition)
        self.settings = {
            "job_name": NAME,
            "partition": partition,
            "account": account,
            "qos": qos,
            "time": time_min,
            "cpus_per_task": cpus or threads,
            "gpus_per_node": gpus or None,
            "mem": None if mem_gb is None else f"{round(mem_gb * 1024)}MB",
            "nodes": nodes,
            "ntasks_per_node": tasks_per_node,
            "array_parallelism": array_parallelism,
            "setup": list(setup) or None,
            "signal_delay_s": signal_delay_s,
            "additional_parameters": {"requeue": True},
        }
        self.alike = not gpus
        self.max_requeues, self.poll_s, self.allow = max_requeues, poll_s, tuple(allow)
        self.at_once = UNLIMITED if at_once is None else at_once
        self.given: dict[Path, Given] = {}
        self.due = 0.0  # when the queue may be asked again, on the monotonic clock
        self.stopping = False
        self.unwanted, self.cancelled = set[Path](), set[Path]()  # runs that were asked to end; of these, by Slurm

    @property
    def room(self) -> int:
        return self.at_once - len(self.given)

    def start(self, folders: Sequence[Path]) -> None:
        waiting = self.adopted(folders)
        self.given |= waiting
        rest = [folder for folder in folders if folder not in waiting]
        most = slurm_queue.largest_array() if len(rest) > 1 else 1
        for first in range(0, len(rest), most):
            self.submit(rest[first : first + most])

    def adopted(self, folders: Sequence[Path]) -> dict[Path, Given]:
        """Those that a sweep before this one gave to the queue, and that are there still."""
        jobs = {folder: job for folder in folders if (job := job_of(folder))}
        said = slurm_queue.states(jobs.values())
        return {folder: Given(job, "") for folder, job in jobs.items() if slurm_queue.alive(said, job)}

    def submit(self, folders: Sequence[Path]) -> None:
        import submitit
        from submitit.core.utils import FailedJobError

        from mmfuse.sweep.slurm_task import Task

        executor = self.executor(folders[0].parent / LOGS)
        before = [spoken(folder) for folder in folders]
        try:
            with executor.batch():
                jobs: list[submitit.Job[int]] = [executor.submit(Task(f.resolve(), self.command(f))) for f in folders]
        except FailedJobError as error:
            said = [line for line in str(error).splitlines() if line.startswith("sbatch: error")]
            raise ConfigError(
                f"Slurm takes no such job: {(said or str(error).splitlines())[-1]}"
                "\n  to go on: launcher.time_min, mem_gb, gpus, account or qos that the partition allows"
            ) from error
        for folder, job, status in zip(folders, jobs, before, strict=True):
            self.given[folder] = Given(job.job_id, status)
            write_json(folder / JOB, {"launcher": "slurm", "job": job.job_id})

    def executor(self, place: Path) -> "submitit.SlurmExecutor":
        import submitit

        executor = submitit.SlurmExecutor(folder=place, max_num_timeout=self.max_requeues)
        executor.update_parameters(**{key: value for key, value in self.settings.items() if value is not None})
        return executor

    def command(self, folder: Path) -> list[str]:
        allowed = [word for package in self.allow for word in ("--allow", package)]
        return [sys.executable, "-m", "mmfuse.worker", str(folder.resolve()), "--quiet", *allowed]

    def ended(self) -> list[tuple[Path, int]]:
        if not self.given or time.monotonic() < self.due:
            return []
        self.due = time.monotonic() + self.poll_s
        try:
            slurm_queue.cancel(self.given[folder].job for folder in self.unwanted - self.cancelled)
            self.cancelled |= self.unwanted
            said = slurm_queue.states(given.job for given in self.given.values())
        except slurm_queue.SilentError:
            return []
        over = {f: given for f, given in self.given.items() if not slurm_queue.alive(said, given.job)}
        self.given = {folder: given for folder, given in self.given.items() if folder not in over}
        found = [(folder, self.verdict(folder, given, said.get(given.job))) for folder, given in over.items()]
        self.unwanted -= over.keys()
        self.cancelled -= over.keys()
        return found

    def end(self, folder: Path) -> None:
        """When Slurm is asked next: it sends SIGTERM, and a job that is cancelled does not come back."""
        if folder in self.given:
            self.unwanted.add(folder)

    def logs(self, sweep: Path) -> str:
        return f"{sweep / LOGS}/*_log.err, and what was printed in *_log.out"

    def verdict(self, folder: Path, given: Given, state: str | None) -> int:
        """The run's own exit code; where it could not tell one, what became of the job is its failure."""
        (folder / JOB).unlink(missing_ok=True)
        own = exit_code(folder) if spoken(folder) != given.before else None
        if state == "CANCELLED":
            if self.stopping or folder in self.cancelled:
                return 75 if own is None else own
            return lost(folder, f"cancelled: scancel {given.job}")
        if state == "OUT_OF_MEMORY" and (own is None or own < 0):
            return lost(folder, "Slurm: OUT_OF_MEMORY; more with launcher.mem_gb")
        if own is not None:
            return own
        log = folder.parent / LOGS / f"{given.job}_0_log.err"
        return lost(folder, f"Slurm: {state or 'the job is gone, and nothing is known of it'}; see {log}")

    def stop(self) -> None:
        self.stopping = True
        try:
            slurm_queue.cancel(given.job for given in self.given.values())
            until = time.monotonic() + PATIENCE
            while time.monotonic() < until:
                said = slurm_queue.states(given.job for given in self.given.values())
                if not any(slurm_queue.alive(said, given.job) for given in self.given.values()):
                    break
                time.sleep(min(1.0, self.poll_s))
        except slurm_queue.SilentError as error:
            raise ConfigError(f"the jobs cannot be stopped: {error}\n  to go on: scancel --name={NAME}") from error
        self.due = 0.0

    def close(self) -> None:
        """Jobs that are in the queue stay there: they need nobody to wait for them."""


def job_of(folder: Path) -> str | None:
    try:
        about = json.loads((folder / JOB).read_text(encoding="utf-8"))
        return str(about["job"]) if about["launcher"] == "slurm" else None
    except (OSError, ValueError, KeyError):
        return None


def spoken(folder: Path) -> str:
    try:
        return (folder / "status.json").read_text(encoding="utf-8")
    except OSError:
        return ""


def refuse_unless_slurm(partition: str | None) -> None:
    if not slurm_queue.here():
        raise ConfigError(
            "launcher=slurm: there is no Slurm here: sbatch is not found"
            "\n  to go on: type it where jobs are submitted, a cluster's login node; or launcher=local"
        )
    if importlib.util.find_spec("submitit") is None:
        raise ConfigError("launcher=slurm needs the package submitit\n  to go on: pip install 'mmfuse[slurm]'")
    try:
        known = slurm_queue.partitions()
    except slurm_queue.SilentError as error:
        raise ConfigError(f"launcher=slurm: Slurm does not answer: {error}\n  see: scontrol ping") from error
    if partition is not None and partition not in known:
        raise ConfigError(
            f"launcher.partition: Slurm has no partition '{partition}'\n  {offer(partition, known, 'there are')}"
        )
