"""What is asked, said and done before a sweep's first run starts."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmfuse.errors import ConfigError, TrainingError

if TYPE_CHECKING:
    from mmfuse.sweep.launcher import Launcher
    from mmfuse.sweep.plan import Plan, Run


def refuse_unless_meant(count: int, yes: bool) -> None:
    from mmfuse.sweep.plan import MANY

    if not count and not yes:
        raise ConfigError("the sweep has 0 runs: an axis has no values\n  if that is meant: --yes")
    if count > MANY and not yes:
        raise ConfigError(
            f"the sweep has {count:,} runs, which is more than {MANY:,}"
            "\n  to go on: sweep.search=random sweep.trials=100; or, if all are meant, --yes"
        )


def refuse_unless_stackable(searched: bool, launcher: str) -> None:
    if searched:
        raise ConfigError(
            "sweep.stack: a search learns from runs that have ended, and ends others\n  to go on: sweep.search=random,"
            " or sweep.stack=1"
        )
    if launcher != "local":
        raise ConfigError(
            f"sweep.stack: launcher={launcher} gives each run a process of its own\n  to go on: launcher=local, or"
            " sweep.stack=1"
        )


def advise(plan: "Plan", keys: Sequence[str], options: argparse.Namespace) -> None:
    if options.quiet or options.json:
        return
    if "seed" in keys:
        print("advice   each seed is a run of its own here; seeds=[0,1,2] makes them one, with a mean and a spread")
    if plan.alike:
        print(f"planned  {plan.alike} of {plan.alike + len(plan.runs)} would only repeat others, and are left out")
    for said in plan.invalid[:5]:
        print(f"left out {said}")
    if len(plan.invalid) > 5:
        print(f"left out {len(plan.invalid) - 5} more")


def show(plan: "Plan", composer: Any, as_json: bool) -> None:
    if as_json:
        for run in plan.runs:
            about = {"run": run.folder, "overrides": run.overrides, "config": composer(run.overrides)}
            print(json.dumps(about, ensure_ascii=False))
        return
    print(f"{len(plan.runs)} runs")
    for run in plan.runs:
        print("  ".join([run.folder, *(f"{key}={value}" for key, value in run.differs.items())]))


def stacked(
    runs: "Sequence[Run]", composer: Any, stack: int, quiet: bool
) -> "tuple[Callable[[Run], str | None], Sequence[Run]]":
    """By which runs know those that they may be trained with, and all runs, those that may beside each other."""
    from mmfuse.sweep import stacks

    if stack == 1:
        return lambda run: None, runs
    found = {run.folder: stacks.kin(composer(run.overrides)) for run in runs}
    if not quiet:
        print(stacks.line(found, stack), flush=True)
    first = {each.key: number for number, each in reversed(list(enumerate(found.values())))}
    in_order = sorted(runs, key=lambda run: first[found[run.folder].key])
    return lambda run: None if found[run.folder].alone else found[run.folder].key, in_order


def encodes(
    settings: Mapping[str, Any],
    launcher: "Launcher",
    runs: "Sequence[Run]",
    composer: Any,
    allow: Sequence[str],
    options: argparse.Namespace,
) -> "Callable[[Path], None]":
    """What runs ask of frozen encoders and the cache has not got, all of it before they start, where that is wanted.

    Of a search, whose runs nobody knows yet, it is what each value of each axis asks.
    """

    def ahead(folder: Path) -> None:
        from mmfuse.record.status import Status
        from mmfuse.sweep import encodings

        if not (launcher.alike if settings["encode"] is None else settings["encode"]):
            return
        jobs = encodings.needed(composer(r.overrides) for r in runs if Status.read(folder / r.folder) != "done")
        if not jobs:
            return
        if not options.quiet and not options.json:
            named = ", ".join(dict.fromkeys(m for job in jobs for m in job.modalities))
            print(f"encoding {named}: once for all runs, before they start, in this process", flush=True)
        code = encodings.make(folder, jobs, allow, options.quiet, options.json)
        if code not in (0, TrainingError.exit_code) and not options.quiet:
            place = os.path.relpath(folder / encodings.LOG)
            print(f"warning  encoding: it ended with exit code {code}, see {place}; runs do the rest", file=sys.stderr)

    return ahead
