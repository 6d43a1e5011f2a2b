"""`python -m mmfuse.sweep.forks ABOUT`: a process that has imported torch and forks a child for each run.

It is told on stdin, a JSON list a line: ["start", FOLDER, NAME], ["stop"] (all save and end), ["kill"]; and tells on
stdout [NAME, EXIT CODE] of each that ended. ["start", FOLDER, NAME, FOLDER, ...] starts runs that are trained as one,
in one child that has the first one's name. Where whoever told it is gone, all save and end, and so does it. It never
computes, so that no device and no thread of torch's is there to be forked.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmfuse.atomic import write_json

PARTS = (  # what a run imports
    "mmfuse.worker",
    "mmfuse.learner.fit",
    "mmfuse.run.train",
)
DEATH = 1  # PR_SET_PDEATHSIG, of prctl(2): a signal for when the parent is gone


class Forks:
    def __init__(self, places: Sequence[dict[str, list[int]]], allow: Sequence[str]):
        self.places, self.allow = places, allow
        self.known = set(sys.modules)
        self.notes = Path(tempfile.mkdtemp(prefix="mmfuse-"))  # where children note what they had to import
        self.free = list(range(len(places)))[::-1]
        self.children = dict[int, tuple[str, int]]()  # by process: the run's name, its place
        self.woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)  # which ends the wait below
        self.open = (self.woken, wake)

    def serve(self) -> None:
        heard, told = b"", True
        while told or self.children:
            ready, _, _ = select.select([self.woken, 0] if told else [self.woken], [], [])
            if self.woken in ready:
                os.read(self.woken, 1024)
                self.reap()
            if 0 in ready:
                more = os.read(0, 1 << 16)
                *lines, heard = (heard + more).split(b"\n")
                for line in lines:
                    self.obey(*json.loads(line))
                if not more:
                    told = False
                    self.send(signal.SIGTERM)

    def obey(self, what: str, folder: str = "", name: str = "", *others: str) -> None:
        if what == "start":
            self.start([folder, *others], name)
        else:
            self.send(signal.SIGTERM if what == "stop" else signal.SIGKILL)

    def send(self, number: int) -> None:
        for process in self.children:
            if number == signal.SIGKILL:
                os.killpg(process, number)  # what it has started as well
            else:
                os.kill(process, number)

    def start(self, folders: Sequence[str], name: str) -> None:
        place, parent = self.free.pop(), os.getpid()
        process = os.fork()
        if process == 0:
            self.become(folders, self.places[place], parent)
        os.setpgid(process, process)  # by whoever comes first
        self.children[process] = name, place

    def reap(self) -> None:
        while self.children:
            process, status = os.waitpid(-1, os.WNOHANG)
            if not process:
                return
            name, place = self.children.pop(process)
            self.free.append(place)
            self.learn(self.notes / str(process))
            print(json.dumps([name, os.waitstatus_to_exitcode(status)]), flush=True)

    def learn(self, note: Path) -> None:
        """Imports what a run had to, so that the next need not. What is somebody's own may do anything, and is left."""
        try:
            names = json.loads(note.read_text(encoding="utf-8"))
        except OSError:  # it was killed
            return
        note.unlink()
        for name in names:
            if name not in self.known and name.partition(".")[0] not in self.allow:
                with suppress(Exception):
                    importlib.import_module(name)
        self.known.update(names, sys.modules)
        gc.freeze()

    def become(self, folders: Sequence[str], place: dict[str, list[int]], parent: int) -> None:
        """The child: a worker, as if it had been started anew. Does not return."""
        code = 1
        try:
            os.setpgid(0, 0)
            die_with(parent)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for end in self.open:
                os.close(end)
            settle(place)
            written = os.open(Path(folders[0]) / "output.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            for end, to in ((os.open(os.devnull, os.O_RDONLY), 0), (written, 1), (written, 2)):
                os.dup2(end, to)
            sys.argv = ["mmfuse.worker", *folders]
            worker: Any = importlib.import_module("mmfuse.worker")
            code = worker.main([*folders, *(f"--allow={package}" for package in self.allow)])
            new = [name for name in sys.modules if name not in self.known]
            if new:
                write_json(self.notes / str(os.getpid()), new)
            atexit._run_exitfuncs()
            sys.stdout.flush()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)


def settle(place: dict[str, list[int]]) -> None:
    """On the devices and cores of its place. None of them: wherever it likes."""
    if place["devices"]:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, place["devices"]))
    if place["cores"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, place["cores"])


def die_with(parent: int) -> None:
    """Where the system can: a signal to save and end comes as soon as the parent is gone."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(DEATH, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(75)


def main(typed: Sequence[str]) -> None:
    about = json.loads(typed[0])
    gc.disable()
    if about["allow"]:
        sys.path.insert(0, os.getcwd())  # own parts may lie where the command is typed
    for part in PARTS:
        importlib.import_module(part)
    gc.enable()
    gc.freeze()  # what is there stays, and is not copied for looking at it
    forks = Forks(about["places"], about["allow"])
    try:
        forks.serve()
    finally:
        shutil.rmtree(forks.notes, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
