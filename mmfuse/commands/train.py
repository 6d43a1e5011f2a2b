"""`mmfuse train`."""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any

from mmfuse.commands.parser import command_line, without_collection
from mmfuse.commands.running import as_yaml, composed
from mmfuse.errors import ConfigError, Interrupted, UserError
from mmfuse.signals import handled_by, interrupt, interruption

ABOUT = "one experiment: all its seeds and folds"


def run(typed: list[str]) -> int:
    with handled_by(interrupt):
        options, config = composed("train", ABOUT, typed)
        if options.dry_run:
            print(as_yaml(config), end="")
            return 0
        if config["trainer"].get("devices") not in (1, "1", "auto", [0]) or config["trainer"].get("num_nodes", 1) != 1:
            raise ConfigError("trainer.devices: more devices than one are not built yet\n  to go on: trainer.devices=1")
        if sys.stdout.isatty() and not options.quiet and not options.json:
            print("loading torch and the data ...", end="\r", flush=True)  # the run's first line takes its place
        with without_collection():
            import mmfuse.learner.fit
            import mmfuse.run.train  # noqa: F401
            from mmfuse.record import folder as folders

        folder = folders.create(
            Path(config["output_dir"]),
            safe(config["name"] or f"{config['choices']['dataset']}-{config['choices']['fusion']}"),
            as_yaml(config),
            "".join(f"{override}\n" for override in options.overrides),
            command_line("train", typed),
        )
        return supervised(config, folder, options)


def supervised(config: dict[str, Any], folder: Path, options: argparse.Namespace) -> int:
    """Runs, and leaves a true status whatever happens; a run that never began leaves nothing."""
    from mmfuse import progress
    from mmfuse.record import folder as folders
    from mmfuse.record import log
    from mmfuse.record.status import State, Status
    from mmfuse.run.train import run as train

    listener = progress.listener(options.quiet, options.json)

    def ended(state: State, code: int, error: BaseException) -> Path | None:
        """Where the traceback is; None where the folder is gone."""
        began = Status.read(folder) not in ("created", None)
        if not began and isinstance(error, UserError | Interrupted):
            folders.discard(folder)
            return None
        Status(folder).say(state, exit_code=code, error=str(error).split("\n")[0])
        return log.write_traceback(folder, error)

    try:
        train(config, folder, listener)
        folders.point_latest(folder)
        listener.saved(os.path.relpath(folder))
        return 0
    except BaseException as error:
        progress.close(listener)
        if stop := interruption(error):
            with handled_by(signal.SIG_IGN):
                if ended("preempted", stop.exit_code, stop):
                    print(f"\nsaved {os.path.relpath(folder)}", file=sys.stderr)
            raise stop from error
        if isinstance(error, UserError):
            where = ended("failed", error.exit_code, error)
            raise type(error)(f"{error}" + (f"\n  the traceback is in {where}" if where else "")) from error
        ended("failed", 1, error)
        raise


def safe(name: str) -> str:
    """
    >>> safe("my run/2")
    'my-run-2'
    """
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in name) or "run"
