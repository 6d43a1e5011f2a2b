"""The runs of a sweep as a search asks for them."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmfuse.errors import ConfigError
from mmfuse.sweep import failures
from mmfuse.sweep.best import lines
from mmfuse.sweep.grammar import Axis
from mmfuse.sweep.plan import Run, planned
from mmfuse.sweep.search import Search, is_pruned
from mmfuse.sweep.source import Source
from mmfuse.sweep.space import text

PAUSE = 1.0  # seconds, where other workers see to all that are left

Compose = Callable[[Sequence[str]], Mapping[str, Any]]


class Suggested(Source):
    def __init__(
        self,
        search: Search,
        fixed: Sequence[str],
        compose: Compose,
        folder: Path,
        parallel: int,
        known: Callable[[Run], None],
    ):
        """`folder` is the sweep's. At most `parallel` runs are under way, though there be room: they are to learn.

        Each is made `known` before it starts.
        """
        self.search, self.fixed, self.compose, self.known = search, fixed, compose, known
        self.folder, self.parallel = folder, parallel
        self.current = set[str]()  # runs by the names of their folders
        self.due = 0.0

    @property
    def total(self) -> int:
        return self.search.rules.trials

    @property
    def exhausted(self) -> bool:
        return self.search.done

    def more(self, room: int) -> list[Run]:
        found: list[Run] = []
        while len(found) < room and len(self.current) < self.parallel and time.monotonic() >= self.due:
            asked = self.search.ask()
            if asked is None:
                self.due = time.monotonic() + PAUSE
                break
            try:
                run = planned(asked.differs, self.fixed, self.compose)
            except ConfigError as error:  # values that are right by themselves, but not together
                self.search.refuse(asked, str(error).splitlines()[0])
                continue
            folder = self.folder / run.folder
            self.search.began(asked, folder)
            if is_pruned(folder):  # its worker died before it could say so
                self.search.tell(folder)
            elif run.folder not in self.current:
                self.known(run)
                self.current.add(run.folder)
                found.append(run)
        return found

    def ended(self, run: Run, folder: Path, state: str) -> None:
        self.current.discard(run.folder)
        words = [str(failure["error"]) for failure in failures.of(folder)]
        self.search.tell(folder, (words or ["it failed"])[-1] if state == "failed" else None)

    def lines(self, command: Sequence[str]) -> list[str]:
        return lines(self.search.study, self.search.axes, self.search.metric, [*command, *self.fixed])

    def gives_up(self, folder: Path) -> bool:
        return self.search.should_stop(folder)


def corners(axes: Sequence[Axis]) -> Iterator[dict[str, str]]:
    ends = {axis.key: [text(axis, bound) for bound in axis.interval] if axis.interval else axis.values for axis in axes}
    first = {key: values[0] for key, values in ends.items()}
    yield first
    for key, values in ends.items():
        for value in values[1:]:
            yield first | {key: value}
