"""What is not done is run, by the machinery of sweeps; what was stopped is gone on with."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mmfuse.atomic import write_text
from mmfuse.record import folder as folders
from mmfuse.record.status import Status
from mmfuse.reproduce.planned import Planned
from mmfuse.run.identity import decides, digest
from mmfuse.sweep.drive import Drive
from mmfuse.sweep.launcher import Launcher
from mmfuse.sweep.place import plain
from mmfuse.sweep.plan import Run
from mmfuse.sweep.source import Listed
from mmfuse.sweep.watcher import Watcher

RETRIES = 0  # what fails once fails again


def waiting(place: Path, planned: Sequence[Planned]) -> list[Planned]:
    """Those that can be run and are not done."""
    return [each for each in planned if each.lacks is None and not done(place / each.folder, each)]


def done(folder: Path, planned: Planned) -> bool:
    """Over all seeds that are wanted, or more."""
    return Status.read(folder) == "done" and set(planned.seeds) <= set(seeds_of(folder))


def seeds_of(folder: Path) -> list[int]:
    return list(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["seeds"])


Line = Callable[[Sequence[str]], str]  # the command that makes a run again, from its overrides


def run(place: Path, planned: Sequence[Planned], launcher: Launcher, watcher: Watcher, line: Line) -> None:
    """Each in its folder below `place`."""
    by_name = {each.folder: each for each in planned}
    runs = [Run(p.folder, p.overrides, {"row": p.row.name}, digest(decides(config_of(p)))) for p in planned]
    place.mkdir(parents=True, exist_ok=True)
    try:
        with folders.held(place):
            for each in planned:
                begin(place, each, line)
            source = Listed(runs)
            Drive(place, source, lambda r: begin(place, by_name[r.folder], line), launcher, RETRIES, watcher).run()
    finally:
        watcher.close()


def begin(place: Path, planned: Planned, line: Line) -> Path:
    """Its folder, made unless it is there. One with fewer seeds keeps those that are done; one that failed waits."""
    folder = place / planned.folder
    state = Status.read(folder)
    if state is None or not set(planned.seeds) <= set(seeds_of(folder)):
        folder.mkdir(exist_ok=True)
        text = yaml.safe_dump(plain(config_of(planned)), sort_keys=False, allow_unicode=True)
        overrides = "".join(f"{override}\n" for override in planned.overrides)
        folders.fill(folder, text, overrides, line(planned.overrides))
    elif state == "failed":
        write_text(folder / "failures.json", "[]")
        Status(folder).say("created")
    return folder


def config_of(planned: Planned) -> Mapping[str, Any]:
    assert planned.config is not None
    return planned.config
