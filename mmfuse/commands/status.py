"""`mmfuse status`."""

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mmfuse.commands.parser import Parser
from mmfuse.errors import ConfigError

if TYPE_CHECKING:
    from mmfuse.sweep.standing import Group, Standing

ABOUT = "what is running, waiting, done, failed: of sweeps, or of a folder's runs"
SHOWN = 20  # runs of one state


def run(typed: list[str]) -> int:
    parser = Parser("status", ABOUT)
    parser.add_argument("folders", nargs="*", type=Path, default=[], metavar="SWEEP|FOLDER", help="default: outputs")
    parser.add_argument("--watch", metavar="SECONDS", type=float, nargs="?", const=2.0, help="again and again")
    parser.add_argument("--json", action="store_true", help="JSON lines on stdout, a run each")
    parser.add_argument("--debug", action="store_true", help="tracebacks on screen")
    options = parser.parse_args(typed)
    folders = options.folders or [Path("outputs")]
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"{folder}: there is no such folder\n  to go on: a sweep, a run, or a folder of them")
    while True:
        text = as_json(folders) if options.json else "\n".join(told(folders))
        if options.watch is None:
            print(text)
            return 0
        print(f"\033[2J\033[H{text}" if not options.json else text, flush=True)
        time.sleep(max(0.1, options.watch))


def told(folders: list[Path]) -> list[str]:
    from mmfuse.sweep.standing import groups

    lines = [line for folder in folders for group in groups(folder) for line in of_group(group)]
    return lines or ["no runs"]


def of_group(group: "Group") -> list[str]:
    from mmfuse.sweep.standing import ORDER

    counts = ", ".join(f"{n} {state}" for state, n in group.counts.items())
    lines = [f"{os.path.relpath(group.folder)}   {len(group.runs)} run{'s' * (len(group.runs) != 1)}: {counts}"]
    for state in ORDER[:-3]:  # of those that were pruned, that wait and are done, a number says enough
        runs = [run for run in group.runs if run.state == state]
        lines += [f"  {state:<9} {run.name}   {about(run)}".rstrip() for run in runs[:SHOWN]]
        lines += [f"  {state:<9} and {len(runs) - SHOWN} more"] if len(runs) > SHOWN else []
    if group.sweep and any(run.state in ("stale", "preempted") for run in group.runs):
        lines.append(f"  to go on: mmfuse sweep --resume {os.path.relpath(group.folder)}")
    return lines


def about(run: "Standing") -> str:
    from mmfuse.sweep.watcher import in_words

    if run.state == "running":
        return in_words(run.folder)
    if run.state == "stale":
        return "its process is gone" + (f"; last heard of {ago(run.beaten)}" if run.beaten is not None else "")
    return run.error or ""


def ago(seconds: float) -> str:
    """
    >>> ago(42.0), ago(7200.0), ago(200000.0)
    ('42 s ago', '2 h ago', '2 d ago')
    """
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def as_json(folders: list[Path]) -> str:
    from mmfuse.sweep.standing import groups

    return "\n".join(
        json.dumps({"sweep": str(group.folder) if group.sweep else None, **run._asdict(), "folder": str(run.folder)})
        for folder in folders
        for group in groups(folder)
        for run in group.runs
    )
