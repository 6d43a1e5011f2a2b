"""What can go wrong in ways that a user can mend. Each error says what, where, what was found and what to do.

The command line prints one as `error[kind]: message` in at most six lines and leaves with the error's exit code.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from signal import SIGINT, Signals


class UserError(Exception):
    kind = "internal"
    exit_code = 1


class ConfigError(UserError):
    """A key, a value or a combination of choices that cannot be."""

    kind = "config"
    exit_code = 2


class DataError(UserError):
    """Rows or files that are not what the data set's config says."""

    kind = "data"
    exit_code = 3


class TrainingError(UserError):
    """Training that cannot go on: a loss that is not a number, memory that ran out."""

    kind = "training"
    exit_code = 4


def closest(name: str, names: Iterable[str]) -> str:
    """The first clause of an error's advice on a name that is not among those known.

    >>> closest("gatd", ["gated", "concat"])
    "did you mean 'gated'?"
    >>> closest("zzz", ["gated", "concat"])
    ''
    """
    close = get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else ""


def offer(name: str, names: Iterable[str], label: str) -> str:
    """The advice on a name that is not among those known: the closest one, and all of them.

    >>> offer("gatd", ["gated", "concat"], "fusion is one of")
    "did you mean 'gated'?   fusion is one of: gated, concat"
    """
    names = list(names)
    return "   ".join(filter(None, [closest(name, names), f"{label}: {', '.join(names) or 'none'}"]))


class Interrupted(BaseException):
    """A signal that ends the run: Ctrl-C, or a cluster that takes the machine back."""

    def __init__(self, signal: int):
        super().__init__(Signals(signal).name)
        self.signal = signal
        self.exit_code = 130 if signal == SIGINT else 75  # 75: requeue me
