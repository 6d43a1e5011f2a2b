"""A run that was stopped, and what may be said otherwise of it when it is gone on with. Torch is not imported."""

import copy
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmfuse.config.altered import set_keys
from mmfuse.config.fields import within
from mmfuse.errors import ConfigError
from mmfuse.run.finished import config_of, refuse_unless_run

FREE = ("threads", "loader", "cache", "bootstrap", "checkpoint_minutes")  # what changes no weight


def stopped(
    place: Path, typed: Sequence[str], allow: Collection[str], force: bool
) -> tuple[Path, dict[str, Any], list[str]]:
    """The run's folder, its config with what was typed, and what of it is another value now, a line each."""
    folder = refuse_unless_run(place)
    before = config_of(folder, allow)
    config = set_keys(copy.deepcopy(before), typed)
    changed = differences(before, config)
    decides = {key: said for key, said in changed.items() if not any(key == k or within(key, k) for k in FREE)}
    if decides and not force:
        raise ConfigError(
            f"{place.name} began with other settings: {'; '.join(decides.values())}"
            "\n  what is trained from here on would be neither the one run nor the other"
            f"\n  to go on: without them; as a run of its own; or with --force. Free to change: {', '.join(FREE)}"
        )
    return folder, config, list(changed.values())


def differences(before: Any, after: Any, key: str = "") -> dict[str, str]:
    """By dotted key, what it was and is.

    >>> differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}})
    {'a.c': 'a.c=2 is 3 now'}
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        found: dict[str, str] = {}
        for name in dict.fromkeys((*before, *after)):
            found |= differences(before.get(name), after.get(name), f"{key}.{name}" if key else str(name))
        return found
    return {} if before == after else {key: f"{key}={before} is {after} now"}
