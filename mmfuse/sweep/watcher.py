"""What a sweep shows while it goes: lines in a log, a live table on a terminal, JSON lines for programs."""

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmfuse.sweep.figures import headline, progress
from mmfuse.sweep.plan import Run
from mmfuse.wording import number

EVERY = 1.0  # seconds between two looks at the folders of what runs
SAID = 10.0  # seconds between two lines on one run's epochs


class Watcher:
    """Hears of runs, and says nothing."""

    def started(self, run: Run, folder: Path) -> None:
        """It has been given to the launcher."""

    def ended(self, run: Run, folder: Path, state: str, error: str | None) -> None:
        """It is done, preempted, has failed, or failed and will be tried again."""

    def look(self, running: Mapping[str, Path], tally: Counter[str], total: int) -> None:
        """Called often; what runs, by name."""

    def stopping(self, running: int) -> None:
        """Nothing is started any more, and so many are asked to save."""

    def close(self) -> None:
        """Gives the terminal back."""


class Lines(Watcher):
    """Plain text: a line where a run starts and ends, and every few seconds one on the epochs of each."""

    def __init__(self) -> None:
        self.looked = 0.0
        self.spoken = dict[str, tuple[float, str]]()

    def write(self, text: str) -> None:
        print(text, flush=True)

    def started(self, run: Run, folder: Path) -> None:
        self.spoken[run.folder] = (time.monotonic(), "")
        self.write(f"started  {run.folder}")

    def ended(self, run: Run, folder: Path, state: str, error: str | None) -> None:
        self.spoken.pop(run.folder, None)
        said = error or (in_figures(folder) if state == "done" else "")
        self.write(f"{state:<8} {run.folder}   {said}".rstrip())

    def look(self, running: Mapping[str, Path], tally: Counter[str], total: int) -> None:
        now = time.monotonic()
        if now - self.looked < EVERY:
            return
        self.looked = now
        for name, folder in running.items():
            before, said = self.spoken.get(name, (now, ""))
            if now - before >= SAID and (text := in_words(folder)) != said:
                self.spoken[name] = (now, text)
                self.write(f"epoch    {name}   {text}   ({tally['done'] + tally['failed']} of {total} ended)")

    def stopping(self, running: int) -> None:
        self.write(f"stopping: {running} runs save, nothing is started any more; once more, and they are killed")


class Live(Lines):
    """A table of what runs, under lines of what has ended."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live as Shown

        super().__init__()
        self.console = Console(highlight=False)
        self.shown = Shown(console=self.console, transient=True, auto_refresh=False)
        self.shown.start()

    def write(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)

    def started(self, run: Run, folder: Path) -> None:
        """The table shows it."""

    def look(self, running: Mapping[str, Path], tally: Counter[str], total: int) -> None:
        from rich.table import Table

        if time.monotonic() - self.looked < EVERY:
            return
        self.looked = time.monotonic()
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for name, folder in list(running.items())[: self.console.height - 3]:
            table.add_row(name, in_words(folder))
        waiting = total - sum(tally.values()) - len(running)
        failed = f", {tally['failed']} failed" if tally["failed"] else ""
        table.add_row(f"{tally['done']} of {total} done{failed}, {len(running)} running, {waiting} waiting", "")
        self.shown.update(table, refresh=True)

    def close(self) -> None:
        self.shown.stop()


class JsonLines(Watcher):
    def say(self, event: str, **about: Any) -> None:
        print(json.dumps({"event": event, **about}, ensure_ascii=False), flush=True)

    def started(self, run: Run, folder: Path) -> None:
        self.say("started", run=run.folder, folder=str(folder), differs=dict(run.differs))

    def ended(self, run: Run, folder: Path, state: str, error: str | None) -> None:
        found = headline(folder) if state == "done" else None
        self.say("ended", run=run.folder, state=state, error=error, headline=found and found._asdict())

    def stopping(self, running: int) -> None:
        self.say("stopping", running=running)


def watcher(quiet: bool, as_json: bool) -> Watcher:
    if as_json:
        return JsonLines()
    if quiet:
        return Watcher()
    return Live() if sys.stdout.isatty() else Lines()


def in_words(folder: Path) -> str:
    """
    >>> in_words(Path("nowhere"))
    ''
    """
    found = progress(folder)
    if not found:
        return ""
    where = found.pop("at").replace("-fold-", " fold ").replace("seed-", "seed ")
    epoch = found.pop("epoch")
    return "   ".join([f"{where} epoch {epoch}", *(f"{name} {number(float(value))}" for name, value in found.items())])


def in_figures(folder: Path) -> str:
    found = headline(folder)
    return f"{found.figure} {number(found.test)} (val {number(found.val)})" if found else ""
