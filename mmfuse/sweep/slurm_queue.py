"""What Slurm says of its partitions and of jobs: squeue knows those of the last minutes, sacct those before."""

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress

from mmfuse.errors import ConfigError

ENDED = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY"}
ENDED |= {"PREEMPTED", "REVOKED", "TIMEOUT"}
UNKNOWN_JOB = "Invalid job id"


class SilentError(ConfigError):
    """Slurm did not answer; what it last said may still hold."""


def here() -> bool:
    return shutil.which("sbatch") is not None and shutil.which("sinfo") is not None


def asked(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SilentError(f"{command[0]}: {error}") from error
    if done.returncode and UNKNOWN_JOB not in done.stderr:
        raise SilentError(f"{command[0]}: {(done.stderr.strip() or 'no answer').splitlines()[0]}")
    return done.stdout


def partitions() -> dict[str, str]:
    """Their names, with what they have: nodes and time limit."""
    lines = asked("sinfo", "--noheader", "--format=%R|%D nodes, at most %l").splitlines()
    return dict(line.split("|", 1) for line in lines if "|" in line)


def states(jobs: Iterable[str]) -> dict[str, str]:
    """Such as {"12_0": "RUNNING"}; a job that neither squeue nor sacct knows of is left out."""
    wanted = set(jobs)
    if not wanted:
        return {}
    parents = ",".join(sorted({job.partition("_")[0] for job in wanted}))
    said = asked("squeue", "--noheader", "--array", "--states=all", "--format=%i|%T", f"--jobs={parents}")
    found = parsed(said)
    if wanted - found.keys() and shutil.which("sacct"):
        account = ("sacct", "--noheader", "--parsable2", "--allocations", "--format=JobID,State")
        with suppress(SilentError):  # a Slurm without accounting
            found = parsed(asked(*account, f"--jobs={parents}")) | found
    return {job: found[job] for job in wanted & found.keys()}


def parsed(said: str) -> dict[str, str]:
    """
    >>> parsed("12_0|RUNNING\\n12_1|CANCELLED by 1000\\n")
    {'12_0': 'RUNNING', '12_1': 'CANCELLED'}
    """
    rows = (line.strip().split("|") for line in said.splitlines() if "|" in line)
    return {row[0]: row[1].split()[0] for row in rows if row[1]}


def largest_array() -> int:
    """How many tasks a job array may have."""
    for line in asked("scontrol", "show", "config").splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "MaxArraySize" and value.strip().isdigit():
            return max(1, int(value))  # indices begin with 0, and stay below it
    return 1000


def cancel(jobs: Iterable[str]) -> None:
    """Slurm sends SIGTERM, and KillWait seconds later SIGKILL."""
    if named := sorted(jobs):
        asked("scancel", *named)


def alive(said: Mapping[str, str], job: str) -> bool:
    return said.get(job, "COMPLETED") not in ENDED
