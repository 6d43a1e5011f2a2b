"""Starts a run's ranks by torch's elastic launcher, and ends when they have: one dies, and all end.

The process that composed the config becomes no rank: each of them reads the run's folder. What a rank other than the
first would print goes aside, and is shown if it is what ended the run.
"""

import argparse
import logging
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import Signals
from typing import Any

from mmfuse.commands.parser import without_collection
from mmfuse.errors import Interrupted, TrainingError, UserError
from mmfuse.run import devices
from mmfuse.run.joined import LEADER

OF_OTHERS = ("SLURM_", "TORCHELASTIC_", "PMI_", "PMIX_", "OMPI_", "GROUP_", "ROLE_")
PLACES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT")
KEPT = ("SLURM_JOB_ID",)  # which is no rank's, and which the record names
SAVING = 120  # seconds that ranks have to save in


def led(config: dict[str, Any], folder: Path, options: argparse.Namespace, keep: bool) -> int:
    """Its exit code: that of the first rank to fail, or of the signal that ended it."""
    with without_collection():
        from torch.distributed.elastic.multiprocessing.api import SignalException
        from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
        from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    with tempfile.TemporaryDirectory(prefix="mmfuse-") as aside, environment(), silence():
        launch = LaunchConfig(**settings(config["trainer"], folder, aside))
        try:
            elastic_launch(launch, sys.executable)("-m", "mmfuse.worker", str(folder), *passed_on(options))
            return 0
        except SignalException as stop:
            return settled(folder, Interrupted(stop.sigval), keep, spoke=True)
        except ChildFailedError as error:
            rank, failure = error.get_first_failure()
            said = ended(rank, failure.exitcode, Path(aside), failure.local_rank)
            return settled(folder, said, keep, spoke=rank == 0)


def settings(trainer: dict[str, Any], folder: Path, aside: str) -> dict[str, Any]:
    """For torch's `LaunchConfig`."""
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std

    local, nodes = devices.per_node(trainer), trainer.get("num_nodes") or 1
    meeting = {"rdzv_endpoint": "localhost:0", "local_addr": "127.0.0.1", "run_id": secrets.token_hex(8)}
    if nodes > 1:
        endpoint = f"{socket.gethostname()}:{free_port()}"
        meeting = {"rdzv_endpoint": endpoint, "run_id": folder.name}
        print(
            f"waits for {nodes - 1} more node{'s' * (nodes > 2)}, where this is to be typed:\n"
            f"  torchrun --nnodes {nodes} --nproc-per-node {local} --rdzv-backend c10d --rdzv-endpoint {endpoint}"
            f" --rdzv-id {folder.name} -m mmfuse.worker {folder}",
            file=sys.stderr,
            flush=True,
        )
    others = dict.fromkeys(range(1, local), Std.ALL)
    return meeting | {
        "min_nodes": nodes,
        "max_nodes": nodes,
        "nproc_per_node": local,
        "rdzv_backend": "c10d",
        "max_restarts": 0,
        "logs_specs": DefaultLogsSpecs(log_dir=aside, redirects=others or Std.NONE),
        "signals_to_handle": "SIGTERM,SIGINT,SIGUSR1,SIGHUP",
        "shutdown_timeout": SAVING,
    }


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("", 0))
        return int(found.getsockname()[1])


def passed_on(options: argparse.Namespace) -> list[str]:
    said = [f"--{name}" for name in ("quiet", "json", "debug", "force") if getattr(options, name, False)]
    return said + [word for package in options.allow for word in ("--allow", package)]


class EndedError(Exception):
    """A rank has, with this code."""

    def __init__(self, said: str, exit_code: int):
        super().__init__(said)
        self.exit_code = exit_code


def ended(rank: int, code: int, aside: Path, local: int) -> Exception:
    """What the rank that failed first says of it. The first one has said it itself."""
    if code < 0:
        name = Signals(-code).name
        more = ", as it is where memory runs out" if name == "SIGKILL" else ""
        return TrainingError(
            f"rank {rank} was ended by {name}{more}\n  to go on: mmfuse train --resume RUN; a smaller batch_size"
        )
    said = ""
    if local > 0:
        for file in aside.glob(f"*/attempt_*/{local}/stderr.log"):
            said = "\n".join(file.read_text(encoding="utf-8", errors="replace").splitlines()[-12:])
        print(f"rank {rank}:\n{said}", file=sys.stderr)
    return EndedError(said or f"rank {rank} failed", code)


def settled(folder: Path, error: Interrupted | Exception, keep: bool, spoke: bool) -> int:
    """Leaves a true status, also where the first rank, which writes it, did not live to, or was ended for another's
    sake; `spoke` where it is the one that ended by itself.
    """
    from mmfuse.record import folder as folders
    from mmfuse.record.status import Status

    code = error.exit_code if isinstance(error, Interrupted | EndedError | UserError) else 1
    state = Status.read(folder)
    if state == "done":
        return 0
    if state in ("created", None) and not keep and code != 1:
        folders.discard(folder)
    elif state in ("created", "running") or not spoke:
        said = str(error).split("\n")[0]
        Status(folder).say("preempted" if code in (75, 130) else "failed", exit_code=code, error=said)
    if isinstance(error, UserError):
        raise error
    return code


@contextmanager
def environment() -> Iterator[None]:
    """For ranks, of which each is told by the launcher who it is, and by nobody else."""
    before = dict(os.environ)
    for name in before:
        if (name.startswith(OF_OTHERS) or name in PLACES) and name not in KEPT:
            del os.environ[name]
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # more would wait for each other
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # it warns of what ranks are made to do
    os.environ[LEADER] = str(os.getpid())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def silence() -> Iterator[None]:
    """The launcher's own log, which tells of every process that it ends."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
