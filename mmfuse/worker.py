"""`python -m mmfuse.worker RUN`: what a run's folder tells is run to its end, whether it was begun before or not.

Launchers start runs by this: the folder is all that they need to know, and its status.json all that they need to read.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mmfuse.cli import guarded
from mmfuse.commands.parser import Parser, add_talk, without_collection
from mmfuse.commands.train import supervised
from mmfuse.signals import handled_by, interrupt


def main(typed: Sequence[str] | None = None) -> int:
    return guarded(run, list(sys.argv[1:] if typed is None else typed))


def run(typed: list[str]) -> int:
    with handled_by(interrupt):
        options = arguments(typed)
        from mmfuse.run.finished import config_of, refuse_unless_run

        folder = refuse_unless_run(options.run)
        config = config_of(folder, options.allow)
        with without_collection():
            import mmfuse.learner.fit
            import mmfuse.run.train  # noqa: F401
        return supervised(config, folder, options, keep=True)


def arguments(typed: list[str]) -> argparse.Namespace:
    parser = Parser("worker", "run what a folder tells to its end")
    parser.add_argument("run", metavar="RUN", type=Path)
    parser.add_argument("--allow", action="append", default=[], metavar="PACKAGE", help="whose parts the run may name")
    parser.add_argument("--force", action="store_true", help="though the data have changed")
    add_talk(parser)
    return parser.parse_args(typed)


if __name__ == "__main__":
    sys.exit(main())
