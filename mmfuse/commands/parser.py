"""How commands read what was typed: a parser whose errors are ours, and the options that several commands share."""

import argparse
import gc
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from mmfuse.errors import ConfigError


class Parser(argparse.ArgumentParser):
    def __init__(self, command: str, about: str, examples: str = "") -> None:
        written = argparse.RawDescriptionHelpFormatter
        super().__init__(f"mmfuse {command}", description=about, epilog=examples, formatter_class=written)

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}\n  see: {self.prog} --help")


def add_parts(parser: Parser) -> None:
    parser.add_argument("--config-dir", action="append", default=[], metavar="DIR", help="own configs")


def add_talk(parser: Parser) -> None:
    parser.add_argument("--quiet", action="store_true", help="show errors only")
    parser.add_argument("--json", action="store_true", help="JSON lines on stdout")
    parser.add_argument("--debug", action="store_true", help="tracebacks on screen")


@contextmanager
def without_collection() -> Iterator[None]:
    """Importing makes a million objects that all stay: looking for garbage among them takes an eighth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def command_line(command: str, typed: Sequence[str]) -> str:
    """A line that does the same again, from whatever folder it is run."""
    data = os.environ.get("MMFUSE_DATA")
    place = f'PATH={shlex.quote(os.path.dirname(sys.executable))}:"$PATH" '  # the mmfuse of this environment
    variable = f"MMFUSE_DATA={shlex.quote(os.path.abspath(data))} " if data else ""
    return f"cd {shlex.quote(os.getcwd())} && {place}{variable}mmfuse {command} {shlex.join(typed)}".rstrip()
