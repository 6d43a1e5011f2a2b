"""A config as one level of dotted names, without what changes no result."""

from collections.abc import Iterator, Mapping
from typing import Any

ASIDE = (  # who asked, how often, where to and with what: none of it changes what is learned
    "name",
    "output_dir",
    "seed",
    "seeds",
    "baselines",
    "bootstrap",
    "cache",
    "threads",
    "logger",
    "loader.memory_gb",
    "loader.workers",
    "choices",
)
Flat = dict[str, Any]


def flat(cfg: Mapping[str, Any]) -> Flat:
    """Lists are values, as tuples.

    >>> flat({"seed": 1, "fusion": {"dim": 8, "betas": [0.9, 0.99]}, "loader": {"workers": 2, "by_length": True}})
    {'fusion.dim': 8, 'fusion.betas': (0.9, 0.99), 'loader.by_length': True}
    """
    return {key: value for key, value in leaves(cfg, "") if key not in ASIDE}


def leaves(part: Mapping[str, Any], where: str) -> Iterator[tuple[str, Any]]:
    for name, value in part.items():
        key = f"{where}.{name}" if where else str(name)
        if key in ASIDE:
            continue
        if isinstance(value, Mapping):
            yield from leaves(value, key)
        else:
            yield key, frozen(value)


def frozen(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(frozen(part) for part in value)
    if isinstance(value, Mapping):
        return tuple((key, frozen(part)) for key, part in value.items())
    return value
