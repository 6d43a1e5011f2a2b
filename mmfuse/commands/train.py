"""`mmfuse train`."""

import argparse
import os
import signal
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmfuse.commands.parser import command_line, without_collection
from mmfuse.commands.running import as_yaml, config_of, running_parser
from mmfuse.errors import Interrupted, TrainingError, UserError
from mmfuse.ranks import here
from mmfuse.run.devices import ranks
from mmfuse.signals import handled_by, interrupt, interruption

if TYPE_CHECKING:
    from mmfuse.run.replicate import Given

ABOUT = "one experiment: all its seeds and folds"


def run(typed: list[str]) -> int:
    if "-m" in typed or "--multirun" in typed:
        from mmfuse.commands import sweep

        return sweep.run(typed)
    with handled_by(interrupt):
        parser = running_parser("train", ABOUT)
        parser.add_argument("--resume", metavar="RUN", type=Path, help="go on with a run that was stopped")
        parser.add_argument("--force", action="store_true", help="of --resume: with other settings or data")
        options = parser.parse_intermixed_args(typed)
        if options.resume:
            return go_on(options)
        config = config_of(options)
        if options.dry_run:
            print(as_yaml(config), end="")
            return 0
        imported(options, config)
        from mmfuse.record import folder as folders

        overrides = "".join(f"{override}\n" for override in options.overrides)
        if begun := folders.of_job(Path(config["output_dir"]), overrides):
            options.resume, options.overrides = begun, []
            return go_on(options)
        folder = folders.create(
            Path(config["output_dir"]),
            safe(config["name"] or f"{config['choices']['dataset']}-{config['choices']['fusion']}"),
            as_yaml(config),
            overrides,
            command_line("train", typed),
        )
        return supervised(config, folder, options)


def go_on(options: argparse.Namespace) -> int:
    """With a run that was stopped; one that is done is told to be."""
    from mmfuse.atomic import write_text
    from mmfuse.record.status import Status
    from mmfuse.run.stopped import stopped

    if options.allow:
        sys.path.insert(0, str(Path.cwd()))  # own parts may lie where the command is typed
    folder, config, changed = stopped(options.resume, options.overrides, options.allow, options.force)
    if options.dry_run:
        print(as_yaml(config), end="")
        return 0
    if Status.read(folder) == "done":
        print(f"{os.path.relpath(folder)} is done; nothing is left to train", file=sys.stderr)
        return 0
    imported(options, config)
    if changed:
        write_text(folder / "config.yaml", as_yaml(config))
        with open(folder / "overrides.txt", "a", encoding="utf-8") as file:
            file.writelines(f"# gone on with: {override}\n" for override in options.overrides)
    return supervised(config, folder, options)


def imported(options: argparse.Namespace, config: dict[str, Any]) -> None:
    several = ranks(config["trainer"]) > 1
    if sys.stdout.isatty() and not options.quiet and not options.json:
        print("loading torch and the data ...", end="\r", flush=True)  # the run's first line takes its place
    if not several:  # or each of them does
        with without_collection():
            import mmfuse.learner.fit
            import mmfuse.run.train  # noqa: F401


def supervised(
    config: dict[str, Any],
    folder: Path,
    options: argparse.Namespace,
    keep: bool = False,
    given: "Given | None" = None,
) -> int:
    """Runs, and leaves a true status whatever happens; one that never began leaves nothing, unless `keep` is true.

    On several devices its ranks run. Of these the first speaks, and whoever started them has the last word.
    """
    if here().ranks == 1 and ranks(config["trainer"]) > 1:
        from mmfuse.commands.elastic import led

        return led(config, folder, options, keep)
    from mmfuse import progress
    from mmfuse.atomic import clear
    from mmfuse.record import folder as folders
    from mmfuse.record import log
    from mmfuse.record.status import State, Status
    from mmfuse.run.train import run as train

    listener = progress.listener(options.quiet or not here().first, options.json and here().first)

    def ended(state: State, code: int, error: BaseException) -> Path | None:
        """Where the traceback is; None where the folder is gone."""
        began = keep or Status.read(folder) not in ("created", None)
        if not began and isinstance(error, UserError | Interrupted):
            if here().ranks == 1:
                folders.discard(folder)
            return None
        Status(folder).say(state, exit_code=code, error=str(error).split("\n")[0])
        try:
            return log.write_traceback(folder, error)
        except OSError:  # the disk is full
            return None

    with folders.held(folder) if here().first else nullcontext():  # or nothing of it is ours to say
        try:
            if here().first:
                clear(folder)
            train(config, folder, listener, options.force, given)
            if here().first:
                folders.point_latest(folder)
                listener.saved(os.path.relpath(folder))
            return 0
        except BaseException as error:
            listener.close()
            give_way(error, folder)
            if stop := interruption(error):
                with handled_by(signal.SIG_IGN):
                    if ended("preempted", stop.exit_code, stop):
                        place = os.path.relpath(folder)
                        print(f"\nsaved {place}      to go on: mmfuse train --resume {place}", file=sys.stderr)
                raise stop from error
            error = no_room(error, folder, begun=keep or Status.read(folder) != "created")
            if isinstance(error, UserError):
                where = ended("failed", error.exit_code, error)
                raise type(error)(f"{error}" + (f"\n  the traceback is in {where}" if where else "")) from error
            ended("failed", 1, error)
            raise


def no_room(error: BaseException, folder: Path, begun: bool) -> BaseException:
    """What is said of a disk that is full; of anything else, that."""
    from mmfuse.atomic import full

    short = full(error)
    if short is None or isinstance(error, UserError):
        return error
    place = os.path.relpath(folder)
    on = f"make room, then mmfuse train --resume {place}" if begun else "make room, or output_dir=DIR elsewhere"
    said = "; its last checkpoint is whole" if any(folder.glob("seed-*/checkpoints/last.ckpt")) else ""
    told = TrainingError(
        f"the disk is full: {short.filename or place} cannot be written ({short.strerror}){said}\n  to go on: {on}"
    )
    told.__cause__ = error
    return told


def give_way(error: BaseException, folder: Path) -> None:
    """Of an error that all ranks have the first one speaks; of another's death, whoever started them."""
    if here().ranks == 1 or interruption(error):
        return
    from mmfuse.learner.gathered import lost
    from mmfuse.record import log

    if lost(error):
        log.write_traceback(folder, error)
        time.sleep(2)  # the one that died is missed first
        os._exit(1)
    if isinstance(error, UserError) and not here().first:
        time.sleep(2)


def safe(name: str) -> str:
    """
    >>> safe("my run/2")
    'my-run-2'
    """
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in name) or "run"
