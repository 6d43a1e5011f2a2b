"""Runs side by side on this machine. One process imports torch, once, and forks a child for each run (forks.py)."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mmfuse.sweep.launcher import Launcher

PAUSE = 0.05  # seconds between two looks at what still runs
PATIENCE = 10.0  # seconds for killed processes to be gone


class Local(Launcher):
    def __init__(
        self,
        slots: int | None = None,
        allow: Sequence[str] = (),
        threads: int = 1,
        devices: int = 0,
    ):
        """A run computes with so many `threads` on so many `devices`, 0 of them on a CPU."""
        if slots is not None and slots < 1:
            raise ValueError(f"slots={slots}: at least 1 is needed")
        have = accelerators() if devices else []
        if have and devices > len(have):
            raise ValueError(f"a run asks for {devices} devices, and this machine has {len(have)}")
        cores = (
            sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
        )
        self.slots = slots or max(1, len(have) // devices if have else len(cores) // threads)
        self.places = [
            {"devices": share(have, slot, devices), "cores": share(cores, slot, len(cores) // self.slots)}
            for slot in range(self.slots)
        ]
        self.allow, self.threads = list(allow), threads
        self.process: subprocess.Popen[bytes] | None = None
        self.heard = b""
        self.running = dict[Path, tuple[Path, ...]]()  # by the first of those that are trained as one: all of them
        self.over = list[tuple[Path, int]]()

    @property
    def room(self) -> int:
        return self.slots - len(self.running)

    def start(self, folders: Sequence[Path]) -> None:
        for folder in folders:
            self.start_as_one([folder])

    def start_as_one(self, folders: Sequence[Path]) -> None:
        first, *others = folders
        if self.process is None:
            self.process = self.warm(first.parent)
        self.running[first] = (first, *others)
        self.say("start", str(first.resolve()), str(first), *(str(folder.resolve()) for folder in others))

    def ended(self) -> list[tuple[Path, int]]:
        self.hear()
        found, self.over = self.over, []
        return found

    def stop(self) -> None:
        if self.running:
            self.say("stop")
        while self.running:
            self.hear()
            time.sleep(PAUSE)

    def close(self) -> None:
        if self.process is None:
            return
        self.say("kill")
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None

    def say(self, *words: str) -> None:
        if self.process is None or self.process.stdin is None:
            return
        try:
            self.process.stdin.write(json.dumps(words).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return  # it has died, which `hear` finds

    def hear(self) -> None:
        if self.process is None or self.process.stdout is None:
            return
        gone = self.process.poll()  # asked before its last words are read
        self.heard += self.process.stdout.read() or b""
        *lines, self.heard = self.heard.split(b"\n")
        for line in lines:
            folder, code = json.loads(line)
            self.over += [(each, code) for each in self.running.pop(Path(folder), ())]
        if gone is not None:  # and with it, politely, all that came from it
            self.over += [(folder, -signal.SIGTERM) for folders in self.running.values() for folder in folders]
            self.running.clear()
            self.heard, self.process = b"", None

    def warm(self, sweep: Path) -> "subprocess.Popen[bytes]":
        """The process that imports what runs need. What is said to it meanwhile waits."""
        about = json.dumps({"places": self.places, "allow": self.allow})
        with open(sweep / "launcher.log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "mmfuse.sweep.forks", about],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the sweep, which passes it on
                env=os.environ | {"OMP_NUM_THREADS": str(self.threads), "MKL_NUM_THREADS": str(self.threads)},
            )
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        return process


def share(things: Sequence[int], slot: int, each: int) -> list[int]:
    """What a slot has of them; they are given out again where there are more slots. Of none each, none.

    >>> share([0, 1, 2, 3], 1, 2), share([0, 1], 3, 1), share([0, 1], 0, 0)
    ([2, 3], [1], [])
    """
    start = slot * each % len(things) if things else 0
    return list(things[start : start + each])


def accelerators() -> list[int]:
    """NVIDIA's, by number; those of $CUDA_VISIBLE_DEVICES where that is set. Torch knows, but takes long to import."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [int(number) for number in named.split(",") if number.strip().isdigit()]
    numbers = (file.name.removeprefix("nvidia") for file in Path("/dev").glob("nvidia[0-9]*"))
    return list(range(sum(number.isdigit() for number in numbers)))
