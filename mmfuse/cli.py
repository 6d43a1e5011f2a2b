"""The commands, one a file of mmfuse/commands. Torch is imported when a config has been found good, and not before."""

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from types import ModuleType

from mmfuse import __version__
from mmfuse.atomic import full
from mmfuse.commands.running import EXAMPLES
from mmfuse.errors import ConfigError, Interrupted, TrainingError, UserError, offer

COMMANDS = (
    "train",
    "sweep",
    "status",
    "check",
    "list",
    "show",
    "init",
    "selftest",
    "eval",
    "predict",
    "report",
    "compare",
    "export",
    "reproduce",
    "cache",
    "doctor",
)


def main(arguments: Sequence[str] | None = None) -> int:
    return guarded(dispatch, list(sys.argv[1:] if arguments is None else arguments))


def guarded(work: Callable[[list[str]], int], typed: list[str]) -> int:
    """Its exit code; what went wrong is said in a few lines, and never with a traceback unless that is asked for."""
    debug = "--debug" in typed
    try:
        return work(typed)
    except UserError as error:
        if debug:
            traceback.print_exc()
        complain(error.kind, str(error))
        return error.exit_code
    except (KeyboardInterrupt, Interrupted) as stop:
        code = stop.exit_code if isinstance(stop, Interrupted) else 130
        print("stopped by Ctrl-C" if code == 130 else f"stopped by {stop}", file=sys.stderr)
        return code
    except BrokenPipeError:  # the reader of our output has gone: mmfuse list | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # a fault of ours: no traceback on screen unless it is asked for
        if debug:
            traceback.print_exc()
        if (short := full(error)) is not None:  # unless of the disk
            complain(
                "training", f"the disk is full: {short.filename or 'a file'} cannot be written\n  to go on: make room"
            )
            return TrainingError.exit_code
        said = str(error).splitlines()[0] if str(error) else ""
        complain(
            "internal",
            f"{type(error).__name__}: {said}\n  this is a fault of mmfuse, or of a part of yours"
            "\n  to see where: --debug, or the run's logs",
        )
        return 1


def complain(kind: str, message: str) -> None:
    """At most six lines on stderr."""
    lines = [line.rstrip() for line in message.splitlines() if line.strip()]
    print("\n".join([f"error[{kind}]: {lines[0] if lines else 'unknown'}", *lines[1:6]]), file=sys.stderr)


def dispatch(typed: list[str]) -> int:
    if not typed or typed[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    name, rest = typed[0], typed[1:]
    if name in ("--version", "-V"):
        print(f"mmfuse {__version__}")
        return 0
    if name not in COMMANDS:
        raise ConfigError(f"there is no command '{name}'\n  {offer(name, COMMANDS, 'there are')}")
    code: int = command(name).run(rest)
    return code


def command(name: str) -> ModuleType:
    """Its module: ABOUT it in a line, and what it does to `run` with what was typed after it."""
    return importlib.import_module(f"mmfuse.commands.{name}")


def overview() -> str:
    lines = [f"mmfuse {__version__}: experiments in multimodal fusion, composed from the shell", ""]
    lines += [f"  mmfuse {name:<10} {command(name).ABOUT}" for name in COMMANDS]
    lines += ["", EXAMPLES]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
