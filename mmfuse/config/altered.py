"""What may be said otherwise of a run that is finished: its data and the machine, not the model."""

import copy
from collections.abc import Sequence
from typing import Any

from mmfuse.config.arguments import parse, quoted
from mmfuse.config.fields import within
from mmfuse.errors import ConfigError, offer

Config = dict[str, Any]

FREE = (
    *("dataset", "loader", "batch_size", "threads", "cache", "encoding", "bootstrap"),
    *("trainer.accelerator", "trainer.devices", "trainer.precision"),
)
HELD = ("dataset._target_", "dataset.tasks", "dataset.missing.policy", "dataset.missing.fill")  # a model is built by


def altered(config: Config, typed: Sequence[str]) -> Config:
    """A copy of the resolved config with these keys set."""
    for argument in parse(typed):
        key = argument.key
        if not any(key == free or within(key, free) for free in FREE) or any(key == k or within(key, k) for k in HELD):
            raise ConfigError(
                f"'{key}' cannot be changed in a run that is trained{argument.place}\n  what can: {', '.join(FREE)}"
            )
    return set_keys(copy.deepcopy(config), typed)


def set_keys(config: Config, typed: Sequence[str]) -> Config:
    """The resolved config with these keys set, of which each is there already."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    for argument in parse(typed):
        key = argument.key
        try:
            value = OverridesParser.create().parse_override(f"{key}={quoted(argument.value)}").value()
        except HydraException as error:
            raise ConfigError(f"'{key}={argument.value}' cannot be read{argument.place}") from error
        put(config, key, value, argument.place)
    return config


def put(config: Config, key: str, value: Any, place: str) -> None:
    inside: Any = config
    *parents, last = key.split(".")
    entry = key.startswith("dataset.modalities.") and key.count(".") == 3  # whose keys may all be left out
    for name in parents:
        inside = inside.get(name) if isinstance(inside, dict) else None
    if not isinstance(inside, dict) or (last not in inside and not entry):
        known = [str(name) for name in inside] if isinstance(inside, dict) else list(FREE)
        raise ConfigError(f"unknown key '{key}'{place}\n  {offer(last, known, 'there are')}")
    inside[last] = value
