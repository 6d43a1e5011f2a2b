"""What was typed after `mmfuse sweep`, in Hydra's grammar: axes, what all runs have alike, and the sweep's own keys.

fusion=a,b  choice(a,b)  range(1,5)  glob(*) of a group; and, drawn from at random or searched, interval(0,1),
int(interval(1,9)) and tag(log,interval(1e-4,1e-1)). As with Hydra's own sweeper, the last word on a key counts.
"""

import math
from collections.abc import Sequence
from decimal import Decimal
from difflib import get_close_matches
from functools import cached_property
from random import Random
from typing import Any, NamedTuple

from mmfuse.config.arguments import Argument, parse, quoted
from mmfuse.config.catalog import Catalog
from mmfuse.errors import ConfigError

OWN = ("sweep", "launcher")
ALIKE = 0.8  # of which "seed" and "sweep" have less


class Axis:
    """A key and what it is to be: values as they are typed, or an interval."""

    def __init__(self, key: str, values: Sequence[str] = (), override: Any = None):
        self.key, self.named, self.override = key, values, override

    @property
    def interval(self) -> tuple[int | float, int | float] | None:
        if self.override is None or not self.override.is_interval_sweep():
            return None
        return self.override._value.start, self.override._value.end

    @property
    def tags(self) -> set[str]:
        """Such as "log"."""
        return set(getattr(self.override._value, "tags", ())) if self.override is not None else set()

    @property
    def whole(self) -> bool:
        """Of an interval: whether its numbers are integers."""
        return self.interval is not None and all(isinstance(bound, int) for bound in self.interval)

    @property
    def count(self) -> int:
        """How many values; told without making them. An interval has none to count."""
        if self.override is None or not self.override.is_range_sweep():
            return len(self.values)
        start, stop, step = (Decimal(getattr(self.override._value, name)) for name in ("start", "stop", "step"))
        return max(0, math.ceil((stop - start) / step))

    @cached_property
    def values(self) -> list[str]:
        return list(self.named) if self.override is None else list(self.override.sweep_string_iterator())

    def draw(self, dice: Random) -> str:
        """One of the values; of an interval a number, uniformly or, under the tag "log", uniformly in its logarithm."""
        if self.interval is None:
            return dice.choice(self.values)
        low, high = self.interval
        if self.whole:
            return str(dice.randint(int(low), int(high)))
        if "log" in self.tags:
            return repr(math.exp(dice.uniform(math.log(low), math.log(high))))
        return repr(dice.uniform(low, high))

    def state(self) -> dict[str, Any]:
        """For sweep.json."""
        if self.interval is None:
            return {"key": self.key, "values": self.values}
        return {"key": self.key, "interval": list(self.interval), "tags": sorted(self.tags), "whole": self.whole}


class Typed(NamedTuple):
    axes: list[Axis]
    fixed: list[str]  # what all runs have alike
    own: list[Argument]  # of the sweep and its launcher


def read(typed: Sequence[str], catalog: Catalog) -> Typed:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    axes, fixed, own = dict[str, Axis](), dict[str, str](), list[Argument]()
    for argument, text in zip(parse(typed, many=True), typed, strict=True):
        if argument.key.split(".")[0] in OWN:
            own += parse([text], first=argument.number)  # which takes one value
            continue
        if meant := get_close_matches(argument.key.split(".")[0], OWN, 1, ALIKE):
            raise ConfigError(f"unknown key '{argument.key}'{argument.place}\n  did you mean '{meant[0]}'?")
        if argument.sign == "~":
            fixed[text] = text
            continue
        key = f"{argument.sign}{argument.key}"
        try:
            override: Any = parser.parse_override(f"{key}={quoted(argument.value)}")
        except HydraException as error:
            first = str(error).splitlines()[0]
            raise ConfigError(f"'{text}' cannot be read{argument.place}\n  {first}") from error
        axes.pop(key, None)
        fixed.pop(key, None)
        if not override.is_sweep_override():
            fixed[key] = text
        elif argument.key in ("output_dir", "name"):
            raise ConfigError(f"{argument.key} cannot be swept over{argument.place}\n  a sweep's runs share a folder")
        elif hasattr(override._value, "filter"):
            axes[key] = Axis(key, override._value.filter(options(argument.key, argument.place, catalog)))
        else:
            axes[key] = Axis(key, override=checked(override, key, argument.place))
    return Typed(list(axes.values()), list(fixed.values()), own)


def options(group: str, place: str, catalog: Catalog) -> list[str]:
    if group not in catalog.groups():
        raise ConfigError(f"glob() is of a group's options, such as fusion=glob(*), and {group} is none{place}")
    return catalog.options(group)


def checked(override: Any, key: str, place: str) -> Any:
    if override.is_range_sweep() and not override._value.step:
        raise ConfigError(f"{key}: a range whose step is 0 has no end{place}")
    if override.is_interval_sweep():
        low, high = override._value.start, override._value.end
        if not low < high or ("log" in override._value.tags and low <= 0):
            above = ", and above 0 under the tag log" if low <= 0 else ""
            raise ConfigError(f"{key}: interval({low},{high}) takes a lower and a higher number{above}{place}")
    return override
