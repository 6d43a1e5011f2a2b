"""Runs side by side on this machine. One process imports torch, once, and forks a child for each run."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mmfuse.sweep.launcher import Launcher


class Local(Launcher):
    def __init__(
        self,
        slots: int | None = None,
        folder: Path | None = None,
        allow: Sequence[str] = (),
        threads: int = 1,
        devices: int = 0,
    ):
        """A run computes with so many `threads` on so many `devices`, 0 of them on a CPU; `folder` is for its log."""
        have, cores = accelerators() if devices else [], sorted(os.sched_getaffinity(0))
        fit = len(have) // devices if have else len(cores) // threads
        if slots is not None and slots < 1:
            raise ValueError(f"slots={slots}: at least 1 is needed")
        if have and devices > len(have):
            raise ValueError(f"a run asks for {devices} devices, and this machine has {len(have)}")
        self.slots = slots or max(1, fit)
        places = [places_of(slot, self.slots, threads, devices, have, cores) for slot in range(self.slots)]
        log = open(folder / "launcher.log", "ab") if folder else None  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mmfuse.sweep.forks", json.dumps({"places": places, "allow": list(allow)})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the sweep, which passes it on
            env=os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)},
        )
        if log:
            log.close()
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self.heard = b""
        self.running = set[Path]()

    @property
    def room(self) -> int:
        return self.slots - len(self.running)

    def start(self, folders: Sequence[Path]) -> None:
        for folder in folders:
            self.running.add(folder)
            self.say({"start": str(folder)})

    def ended(self) -> list[tuple[Path, int]]:
        self.listen()
        *lines, self.heard = self.heard.split(b"\n")
        found = [(Path(said["ended"]), int(said["code"])) for said in map(json.loads, lines)]
        if not found and self.process.poll() is not None and self.running:
            found = [(folder, -9) for folder in self.running]  # all end with the process that they came from
            self.running.clear()
            raise_unless_alive(self.process)
        self.running -= {folder for folder, _ in found}
        return found

    def stop(self) -> None:
        self.say({"stop": True})
        assert self.process.stdout is not None
        left = set(self.running)
        said = self.heard
        while left and self.process.poll() is None:
            os.set_blocking(self.process.stdout.fileno(), True)
            said += os.read(self.process.stdout.fileno(), 1 << 16)
            os.set_blocking(self.process.stdout.fileno(), False)
            left = self.running - {Path(json.loads(line)["ended"]) for line in said.split(b"\n")[:-1]}
        self.heard = said

    def close(self) -> None:
        ...
