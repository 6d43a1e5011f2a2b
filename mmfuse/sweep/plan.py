"""All runs of a sweep, each found good before the first one starts."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from random import Random
from typing import Any, NamedTuple

from mmfuse.errors import ConfigError
from mmfuse.run.identity import decides, digest
from mmfuse.sweep.grammar import Axis

MANY = 10_000  # more than these are asked for twice
SHOWN = 60  # letters of what differs, in a folder's name


class Run(NamedTuple):
    folder: str  # its name in the sweep's
    overrides: tuple[str, ...]
    differs: Mapping[str, str]  # by key, what it has of the axes
    identity: str  # of what decides its result


class Plan(NamedTuple):
    runs: list[Run]
    alike: int  # how many more would only repeat one of them
    invalid: list[str]  # what was left out, and why


def count(axes: Sequence[Axis], search: str, trials: int | None) -> int:
    """How many runs are asked for; nothing is composed for that."""
    if search == "grid":
        for axis in axes:
            if axis.interval:
                raise ConfigError(
                    f"{axis.key}: a grid has no step through an interval"
                    f"\n  to go on: sweep.search=random sweep.trials=20; or {axis.key}=range(...), or values"
                )
        if trials is not None:
            raise ConfigError(f"sweep.trials={trials}: a grid has as many runs as it has\n  or: sweep.search=random")
        return math.prod(axis.count for axis in axes)
    if not axes:
        raise ConfigError("nothing varies\n  such as optimizer.lr=interval(1e-4,1e-2), or fusion=concat,gated")
    if trials is None:
        raise ConfigError(f"sweep.search={search} needs to know how many runs\n  such as sweep.trials=20")
    return trials if all(axis.interval or axis.count for axis in axes) else 0


def combinations(axes: Sequence[Axis], search: str, trials: int | None, seed: int) -> Iterator[dict[str, str]]:
    """By key, a value of each axis. More trials begin with the fewer ones."""
    keys = [axis.key for axis in axes]
    if search == "grid":
        for values in product(*(axis.values for axis in axes)):
            yield dict(zip(keys, values, strict=True))
    else:
        for trial in range(trials or 0):
            dice = Random(f"{seed}/{trial}")
            yield {axis.key: axis.draw(dice) for axis in axes}


def plan(
    wanted: Iterator[dict[str, str]],
    fixed: Sequence[str],
    compose: Callable[[Sequence[str]], Mapping[str, Any]],
    skip_invalid: bool,
) -> Plan:
    runs, alike, invalid = dict[str, Run](), 0, list[str]()
    for differs in wanted:
        try:
            run = planned(differs, fixed, compose)
        except ConfigError as error:
            if not skip_invalid:
                raise ConfigError(f"{error}\n  to go on: --skip-invalid leaves such runs out") from error
            invalid.append(str(error).splitlines()[0])
            continue
        alike += run.identity in runs
        runs.setdefault(run.identity, run)
    return Plan(list(runs.values()), alike, invalid)


def planned(
    differs: Mapping[str, str], fixed: Sequence[str], compose: Callable[[Sequence[str]], Mapping[str, Any]]
) -> Run:
    """One run, found good."""
    overrides = (*fixed, *(f"{key}={value}" for key, value in differs.items()))
    try:
        config = compose(overrides)
    except ConfigError as error:
        first, *rest = str(error).split("\n")
        said = first.split("   (command line")[0]  # which argument it is there, it is not here
        of = " ".join(overrides[len(fixed) :])
        raise ConfigError("\n".join([f"{of}: {said}" if of else said, *rest[:3]])) from error
    identity = digest(decides(config))
    return Run(f"{short(differs)}-{identity}", overrides, {k.lstrip("+"): v for k, v in differs.items()}, identity)


def short(differs: Mapping[str, str]) -> str:
    """
    >>> short({"fusion": "gated", "optimizer.lr": "0.001", "tasks": "[digit,parity]"})
    'gated-lr0.001-tasks-digit-parity'
    >>> short({})
    'run'
    """
    words = []
    for key, value in differs.items():
        last = key.lstrip("+").rpartition(".")[2]
        words.append(value if re.fullmatch(r"[a-z]\w*", value) and "." not in key else f"{last}{value}")
    return re.sub(r"[^\w.]+", "-", "-".join(words))[:SHOWN].strip("-.") or "run"
