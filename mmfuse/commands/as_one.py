"""Several runs by one process: trained as one where that can be, each written down by itself.

Nothing of a stack is saved before it has been trained: one that is stopped in training begins anew, as do those of its
runs that had not been written down. Where a stack cannot be trained, its runs are, one after another.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmfuse.commands.train import supervised
from mmfuse.errors import UserError
from mmfuse.record import folder as folders
from mmfuse.record.status import Status
from mmfuse.run.finished import config_of
from mmfuse.signals import interruption
from mmfuse.sweep.stacks import LOG

if TYPE_CHECKING:
    from mmfuse.run.replicate import Given

Guard = Callable[[Callable[[list[str]], int], list[str]], int]
PREEMPTED = (75, 130)


def as_one(runs: Sequence[Path], options: argparse.Namespace, guarded: Guard) -> int:
    """The exit code of what stopped them, else 0: what became of each, its status tells.

    `guarded` calls what it is given, and makes an exit code of an error.
    """
    configs = {folder: config_of(folder, options.allow) for folder in runs}
    given = trained(configs)
    for number, (folder, config) in enumerate(configs.items()):
        with written(folder):
            code = guarded(partial(one, config, folder, options, given.get(folder)), [])
        if code in PREEMPTED:
            say_stopped(runs[number + 1 :], code)
            return code
    return 0


def one(
    config: dict[str, Any], folder: Path, options: argparse.Namespace, given: "Given | None", typed: list[str]
) -> int:
    return supervised(config, folder, options, keep=True, given=given)


def trained(configs: dict[Path, dict[str, Any]]) -> "dict[Path, Given]":
    """By run, what stands for its training; nothing where they have to be trained by themselves."""
    from mmfuse.learner.leveled import UnstackableError
    from mmfuse.listener import Listener
    from mmfuse.run import side_by_side

    with ExitStack() as holding:
        for folder in configs:
            holding.enter_context(folders.held(folder))
        try:
            return side_by_side.trained(configs, Listener())
        except BaseException as error:
            if stop := interruption(error):
                say_stopped(list(configs), stop.exit_code)
                raise stop from error
            if not isinstance(error, Exception):
                raise
            kind = "" if isinstance(error, UnstackableError | UserError) else f"{type(error).__name__}: "
            said = f"{kind}{str(error).split(chr(10))[0]}"
    with open(next(iter(configs)).parent / LOG, "a", encoding="utf-8") as log:
        log.write(f"{len(configs)} runs were trained by themselves: {said}\n")
    return {}


def say_stopped(runs: Sequence[Path], code: int) -> None:
    for folder in runs:
        Status(folder).say("preempted", exit_code=code)


@contextmanager
def written(folder: Path) -> Iterator[None]:
    """What is printed within goes to the run's own output.log."""
    sys.stdout.flush()
    sys.stderr.flush()
    before = os.dup(1), os.dup(2)
    log = os.open(folder / "output.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for end, to in zip(before, (1, 2), strict=True):
            os.dup2(end, to)
            os.close(end)
        os.close(log)
