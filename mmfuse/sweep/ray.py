"""Runs as tasks of Ray's: on a cluster that is there, or on one that is started on this machine and ended again.

A task whose node dies is tried again elsewhere, and goes on with its folder: all nodes must see it, and have mmfuse.
The sweep's process owns its tasks: when it dies, they are told to save, and `--resume` goes on with them.
"""

import importlib
import os
import secrets
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmfuse.errors import ConfigError
from mmfuse.sweep.launcher import Launcher
from mmfuse.sweep.lost import exit_code, lost
from mmfuse.sweep.ray_task import work

LOGS = "ray"  # beside the runs
STORE = 80_000_000  # bytes of Ray's object store: tasks hand over nothing but paths and codes

EVERY = 5.0  # seconds between looks at what the cluster has


class RayLauncher(Launcher):
    def __init__(
        self,
        address: str | None = None,
        cpus: float | None = None,
        gpus: float = 0.0,
        at_once: int | None = None,
        max_retries: int = 3,
        allow: Sequence[str] = (),
        threads: int = 1,
    ):
        cpus = float(threads) if cpus is None else cpus
        if gpus > 1 and gpus != int(gpus):
            raise ValueError(f"gpus={gpus}: a share of one, or a whole number of them")
        if cpus == gpus == 0:
            raise ValueError("cpus=0 and gpus=0: of one of them a run takes a share")
        self.ray, self.own = connected(address)
        self.alike = not gpus
        self.cpus, self.gpus, self.at_once, self.allow = cpus, gpus, at_once, tuple(allow)
        self.most, self.due = at_once or 0, 0.0  # runs that Ray is given, and when the cluster is looked at again
        if self.own and self.fit() < 1:
            self.close()
            have = ", ".join(f"{count:g} {kind}" for kind, count in self.resources().items())
            raise ConfigError(f"launcher.cpus={cpus:g}, gpus={gpus:g}: no run would ever start; there are {have}")
        self.task = self.ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=max_retries)(work)
        self.given: dict[Any, Path] = {}  # by Ray's reference

    def resources(self) -> dict[str, float]:
        found = self.ray.cluster_resources() if self.ray.is_initialized() else {}
        return {kind: float(found.get(kind, 0)) for kind in ("CPU", "GPU")}

    def fit(self) -> int:
        """Runs that the cluster holds at once."""
        there = self.resources()
        asked = {kind: share for kind, share in (("CPU", self.cpus), ("GPU", self.gpus)) if share}
        return min(int(there[kind] / share + 1e-9) for kind, share in asked.items())

    @property
    def room(self) -> int:
        """What fits, and one that waits: it is started at once, and a cluster that grows sees that it is needed."""
        if self.at_once is None and time.monotonic() > self.due:
            self.most, self.due = self.fit() + 1, time.monotonic() + EVERY
        return max(0, self.most - len(self.given))

    def start(self, folders: Sequence[Path]) -> None:
        allowed = [word for package in self.allow for word in ("--allow", package)]
        for folder in folders:
            command = ["-m", "mmfuse.worker", str(folder.resolve()), "--quiet", *allowed]
            log = folder.resolve().parent / LOGS / f"{folder.name}.log"
            self.given[self.task.remote(folder.resolve(), command, Path.cwd(), log)] = folder

    def ended(self) -> list[tuple[Path, int]]:
        if not self.given:
            return []
        ready, _ = self.ray.wait(list(self.given), num_returns=len(self.given), timeout=0)
        return [
            (folder, self.verdict(reference, folder)) for reference in ready if (folder := self.given.pop(reference))
        ]

    def verdict(self, reference: Any, folder: Path) -> int:
        errors = self.ray.exceptions
        try:
            code: int = self.ray.get(reference)
        except errors.TaskCancelledError:
            own = exit_code(folder)
            return 75 if own is None else own
        except errors.OutOfMemoryError:
            return lost(folder, "Ray: the node's memory ran out; fewer runs at once with launcher.cpus")
        except errors.RayError as error:
            return lost(folder, f"Ray: {type(error).__name__}: {str(error).strip().splitlines()[0]}")
        if code == -signal.SIGTERM:  # before it could listen
            return 75
        return code if code >= 0 else lost(folder, f"killed by {signal.Signals(-code).name}", code)

    def end(self, folder: Path) -> None:
        """A task that waits never begins; the worker of one that runs is told."""
        for reference, given in self.given.items():
            if given == folder:
                self.ray.cancel(reference, force=False)

    def logs(self, sweep: Path) -> str:
        return f"{sweep / LOGS}/*.log"

    def stop(self) -> None:
        for reference in self.given:
            self.ray.cancel(reference, force=False)
        if self.given:
            self.ray.wait(list(self.given), num_returns=len(self.given), timeout=300)

    def close(self) -> None:
        if self.own and self.ray.is_initialized():
            self.ray.shutdown()


def connected(address: str | None) -> tuple[Any, bool]:
    """Ray, and whether the cluster is ours to end."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address is None:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # else one is written to ~/.ray
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as error:
        raise ConfigError("launcher=ray needs the package ray\n  to go on: pip install 'mmfuse[ray]'") from error
    if ray.is_initialized():
        return ray, False
    quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    try:
        if address is not None:
            ray.init(address=address, **quiet)
        else:
            ray.init(address="local", include_dashboard=False, object_store_memory=STORE, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = f"launcher.address={address}: no Ray cluster answers there" if address else "Ray does not start"
        raise ConfigError(
            f"{where}: {(str(error).strip() or type(error).__name__).splitlines()[0]}"
            "\n  to go on: ray start --head, and its address; or address=null: a cluster of this machine"
        ) from error
    return ray, address is None
