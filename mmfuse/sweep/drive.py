"""The loop of a sweep: starts runs where there is room, marks how they ended, tries again what failed.

All that it must know after it was killed stands in the folders.
"""

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from mmfuse.errors import ConfigError, DataError, Interrupted, TrainingError
from mmfuse.record import folder as folders
from mmfuse.record.status import Status
from mmfuse.signals import handled_by
from mmfuse.sweep import failures
from mmfuse.sweep.launcher import Launcher
from mmfuse.sweep.plan import Run
from mmfuse.sweep.source import Source
from mmfuse.sweep.watcher import Watcher

PREEMPTED = (75, 130)
FIRST = 3  # runs; where all of these fail alike, so would the rest
PAUSE = 0.05  # seconds between two looks
EVERY = 1.0  # seconds between two looks at what is to be given up


def nobody(run: Run) -> str | None:
    return None


class Drive:
    def __init__(
        self,
        folder: Path,
        source: Source,
        begin: Callable[[Run], Path],
        launcher: Launcher,
        retries: int,
        watcher: Watcher,
        stack: int = 1,
        kin: Callable[[Run], str | None] = nobody,
    ):
        """`begin` makes a run's folder, unless it is there.

        Up to `stack` runs whose `kin` are alike are trained as one; None: by itself.
        """
        self.folder, self.source, self.begin, self.launcher = folder, source, begin, launcher
        self.retries, self.watcher, self.stack, self.kin = retries, watcher, stack, kin
        self.waiting = list[Run]()  # to be tried again, or gone on with
        self.running = dict[Path, Run]()
        self.tally = Counter[str]()  # "done" and "failed"
        self.first = dict[str, tuple[int, str] | None]()  # of each run that ended here, what went wrong at first
        self.hopeless = set[str]()  # runs that were asked to end, and are not gone on with
        self.due = 0.0  # when the source is asked again what it gives up
        self.signal: int | None = None

    def run(self) -> Counter[str]:
        with handled_by(self.receive):
            try:
                while self.running or self.waiting or not self.source.exhausted:
                    self.turn()
            except BaseException as error:
                if self.running and not isinstance(error, Interrupted):
                    self.launcher.stop()  # what has nothing to do with it is saved
                    self.collect()
                raise
            finally:
                self.launcher.close()
        return self.tally

    def receive(self, number: int, frame: FrameType | None) -> None:
        """The second signal does not wait for runs to save."""
        if self.signal is not None:
            raise Interrupted(number)
        self.signal = number

    def turn(self) -> None:
        if self.signal is not None:
            self.watcher.stopping(len(self.running))
            self.launcher.stop()
            self.collect()
            raise Interrupted(self.signal)
        ended = self.collect()
        self.refuse_unless_promising()
        started = self.fill()
        self.give_up()
        self.watcher.look({run.folder: folder for folder, run in self.running.items()}, self.tally, self.source.total)
        if not ended and not started:
            time.sleep(PAUSE)

    def give_up(self) -> None:
        """Asks runs to end that the search expects nothing of."""
        now = time.monotonic()
        if now < self.due:
            return
        self.due = now + EVERY
        for folder, run in self.running.items():
            if self.source.gives_up(folder) and run.folder not in self.hopeless:
                self.hopeless.add(run.folder)
                self.launcher.end(folder)

    def fill(self) -> int:
        """Starts as many as there is room for; what other processes are at is left to them."""
        room = self.launcher.room
        if room <= 0:
            return 0
        self.waiting = [*self.source.more(room * self.stack), *self.waiting]  # what was begun before comes last
        groups, later = list[list[tuple[Path, Run]]](), list[Run]()
        open_to = dict[str, list[tuple[Path, Run]]]()
        for number, run in enumerate(self.waiting):
            kin = self.kin_of(run)
            group = open_to.get(kin) if kin else None
            if group is None and len(groups) == room and self.stack == 1:
                later += self.waiting[number:]
                break
            folder, state = self.folder / run.folder, Status.read(self.folder / run.folder)
            if state == "done" or (state == "failed" and len(failures.of(folder)) > self.retries):
                self.tally[state] += 1  # as an earlier process left it
                self.source.ended(run, folder, state)
            elif folders.is_held(folder) or (group is None and len(groups) == room):
                later.append(run)
            elif group is not None:
                group.append((self.begin(run), run))
            else:
                group = [(self.begin(run), run)]
                groups.append(group)
                if kin:
                    open_to[kin] = group
            if kin and group is not None and len(group) == self.stack:
                del open_to[kin]
        self.waiting = later
        self.running |= dict(each for group in groups for each in group)
        if alone := [group[0][0] for group in groups if len(group) == 1]:
            self.launcher.start(alone)
        for group in groups:
            if len(group) > 1:
                self.launcher.start_as_one([folder for folder, _ in group])
            for folder, run in group:
                self.watcher.started(run, folder)
        return sum(map(len, groups))

    def kin_of(self, run: Run) -> str | None:
        """None of what failed, or was stopped while it trained by itself, and goes on by itself."""
        if (
            self.stack == 1
            or run.folder in self.first
            or any((self.folder / run.folder).glob("*/checkpoints/last.ckpt"))
        ):
            return None
        return self.kin(run)

    def collect(self) -> int:
        ended = self.launcher.ended()
        for folder, code in ended:
            run = self.running.pop(folder)
            state = Status.read(folder)
            code = own_code(folder, code) if self.stack > 1 else code
            if code == 0 and state == "done":
                self.first.setdefault(run.folder, None)
                self.over(run, folder, "done")
            elif code in PREEMPTED and run.folder in self.hopeless:
                self.over(run, folder, "pruned")
            elif code in PREEMPTED or (code < 0 and self.signal is not None):
                self.watcher.ended(run, folder, "preempted", None)
                self.waiting.append(run)
            else:
                self.failed(run, folder, code)
        return len(ended)

    def failed(self, run: Run, folder: Path, code: int) -> None:
        error = failures.last_words(folder, code)
        if Status.read(folder) != "failed":  # it had no time to say so
            Status(folder).say("failed", exit_code=code, error=error)
        self.first.setdefault(run.folder, (code, error))
        if failures.add(folder, code, error) <= self.retries and code not in failures.HOPELESS:
            self.watcher.ended(run, folder, "failed, and tried again", error)
            self.waiting.append(run)
        else:
            self.over(run, folder, "failed", error)

    def over(self, run: Run, folder: Path, state: str, error: str | None = None) -> None:
        self.tally[state] += 1
        self.source.ended(run, folder, state)
        self.watcher.ended(run, folder, state, error)

    def refuse_unless_promising(self) -> None:
        """Raises the error of the first runs, where none did better and all failed alike."""
        if len(self.first) < FIRST or self.tally["done"]:
            return
        errors = list(self.first.values())[:FIRST]
        said = [error for error in errors if error is not None]
        code, error = said[0] if said else (0, "")
        if len(said) < FIRST or any(c != code or not failures.alike(e, error) for c, e in said):
            return
        kind = {2: ConfigError, 3: DataError}.get(code, TrainingError)
        raise kind(
            f"the first {FIRST} runs failed alike, and the rest was not begun: {error}\n"
            f"  the logs are in {self.launcher.logs(self.folder)}"
        )


def own_code(folder: Path, code: int) -> int:
    """Of a run that may have been trained beside others: what it says itself, if its end was its own."""
    try:
        about = json.loads((folder / "status.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return code
    said: int | None = about["exit_code"] if about["state"] in ("done", "failed", "preempted") else None
    return said if said is not None else code or 1
