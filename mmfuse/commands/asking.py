"""What the commands share that ask a finished run."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmfuse.commands.parser import Parser, add_talk


def asking_parser(command: str, about: str, examples: str) -> Parser:
    parser = Parser(command, about, examples)
    parser.add_argument("--seed", type=int, metavar="N", help="one of the run's seeds; default: all")
    parser.add_argument("--modalities", metavar="A,B", help="hear these only")
    parser.add_argument("--allow", action="append", default=[], metavar="PACKAGE", help="whose parts the run may name")
    add_talk(parser)
    return parser


def asked_run(options: argparse.Namespace) -> tuple[Any, Sequence[str] | None]:
    """The finished run with what was typed of its config, and the modalities to hear."""
    from mmfuse.config.altered import altered
    from mmfuse.run.finished import finished, heard

    if options.allow:
        sys.path.insert(0, str(Path.cwd()))  # own parts may lie where the command is typed
    run = finished(options.run, options.allow, options.seed)
    run = run._replace(cfg=altered(dict(run.cfg), options.overrides))
    return run, heard(run.cfg, options.modalities)
