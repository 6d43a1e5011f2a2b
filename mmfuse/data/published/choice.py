"""What `dataset.split.column` and `dataset.split.group` may name in a data set that is no table."""

from collections.abc import Mapping
from typing import TypeVar

from mmfuse.errors import ConfigError, offer

T = TypeVar("T")


def chosen(key: str, name: str | None, have: Mapping[str, T]) -> T | None:
    """The one of that name; None where none is named.

    >>> chosen("group", "video", {"video": 1}), chosen("group", None, {"video": 1})
    (1, None)
    """
    if name is None:
        return None
    if name not in have:
        raise ConfigError(
            f"dataset.split.{key}={name}: this data set has none of that name\n  {offer(name, have, 'it has')}"
        )
    return have[name]
