"""The config, and where it is not what one gets without a word."""

from collections.abc import Mapping
from typing import Any

import yaml

from mmfuse.report.blocks import Block, Code, Folded, Prose, Section, Table
from mmfuse.report.record import Record

Flat = dict[str, Any]


def settings(record: Record, defaults: Mapping[str, Any] | None, undefaulted: str = "") -> Section:
    """`defaults` is the config of the same parts with nothing else said; `undefaulted` says why there is none."""
    choices = record.config.get("choices", {})
    rows = [[group, name] for group, name in choices.items() if name]
    rows += [
        [f"encoder of {m}", about["name"]]
        for m, about in (record.config.get("encoder") or {}).items()
        if isinstance(about, dict) and "name" in about
    ]
    blocks: list[Block] = [Table(["part", "chosen"], rows)]
    if defaults is None:
        blocks.append(Prose(f"What differs from the defaults cannot be told: {undefaulted}", True))
    else:
        other = differing(flat(record.config), flat(defaults))
        caption = "What differs from the defaults of these parts"
        changed = Table(["key", "this run", "default"], other, caption)
        blocks.append(changed if other else Prose("All else is as the defaults of these parts have it.", True))
    text = yaml.safe_dump(dict(record.config), sort_keys=False, allow_unicode=True)
    return Section("config", "Config", [*blocks, Folded("The whole config", [Code(text)])])


def flat(part: Any, key: str = "") -> Flat:
    """
    >>> flat({"a": {"b": 1, "c": [1, 2]}, "d": {}})
    {'a.b': 1, 'a.c': [1, 2], 'd': {}}
    """
    if not isinstance(part, Mapping) or not part:
        return {key: part}
    return {k: v for name, inner in part.items() for k, v in flat(inner, f"{key}.{name}" if key else str(name)).items()}


def differing(own: Flat, default: Flat) -> list[list[str]]:
    """
    A key that only the defaults have came after this run was made.

    >>> differing({"a": 1, "b": 2, "d": None, "output_dir": "x"}, {"a": 1, "b": 3, "c": None})
    [['b', '2', '3'], ['d', 'null', '(not there)']]
    """
    keys = [key for key in own if not key.startswith(("choices", "output_dir"))]
    return [
        [key, spelled(own, key), spelled(default, key)]
        for key in keys
        if own.get(key, Ellipsis) != default.get(key, Ellipsis)
    ]


def spelled(config: Flat, key: str) -> str:
    if key not in config:
        return "(not there)"
    return (
        yaml.safe_dump(config[key], default_flow_style=True, allow_unicode=True, width=10**6)
        .removesuffix("...\n")
        .strip()
    )
