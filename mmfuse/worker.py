"""`python -m mmfuse.worker RUN`: what a run's folder tells is run to its end, whether it was begun before or not.

Launchers start runs by this: the folder is all that they need to know, and its status.json all that they need to read.
A run on several devices is started once, and starts its ranks; or as often as it has ranks, by torchrun or srun:

    torchrun --nproc-per-node 2 -m mmfuse.worker RUN
    srun --ntasks 2 python -m mmfuse.worker RUN

Several RUNs, which differ in seeds and floats, are trained as one (commands/as_one.py).
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mmfuse.cli import guarded
from mmfuse.commands.parser import Parser, add_talk
from mmfuse.commands.train import supervised
from mmfuse.ranks import here, told
from mmfuse.run.finished import config_of, refuse_unless_run
from mmfuse.run.joined import LEADER, end_with_leader, joined, refuse_unless_all
from mmfuse.signals import handled_by, interrupt


def main(typed: Sequence[str] | None = None) -> int:
    return guarded(run, list(sys.argv[1:] if typed is None else typed))


def run(typed: list[str]) -> int:
    place = told(os.environ)
    with handled_by(interrupt):
        if place.ranks > 1:
            end_with_leader()
        options = arguments(typed)
        if len(options.run) > 1:
            from mmfuse.commands.as_one import as_one

            return as_one([refuse_unless_run(run) for run in options.run], options, guarded)
        folder = refuse_unless_run(options.run[0])
        config = config_of(folder, options.allow)
        if place.ranks == 1:
            return supervised(config, folder, options, keep=True)
        refuse_unless_all(place, config["trainer"])
        with joined(place, config["trainer"]):
            return supervised(config, folder, options, keep=LEADER not in os.environ)


def arguments(typed: list[str]) -> argparse.Namespace:
    parser = Parser("worker", "run what a folder tells to its end")
    parser.add_argument("run", metavar="RUN", type=Path, nargs="+")
    parser.add_argument("--allow", action="append", default=[], metavar="PACKAGE", help="whose parts the run may name")
    parser.add_argument("--force", action="store_true", help="though the data have changed")
    add_talk(parser)
    return parser.parse_args(typed)


if __name__ == "__main__":
    code = main()
    if code and here().ranks > 1:  # without a word to the others, who are told by their launcher
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
