"""Configs of many runs. Hydra composes for the first of each shape; of the others, only what differs is set anew.

A value of one key decides nothing else, so it is set on a copy and checked by the schema that the composed config was
checked by. An option of a group whose file speaks of its own keys only is composed once and put beside all others. All
else (data sets, strategies, encoders' names, what is added or deleted) is composed in full, once for each shape.
"""

import re
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from mmfuse.config import schema
from mmfuse.config.arguments import WORD, parse, quoted
from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import Composed, Config, composed
from mmfuse.config.fields import ENTRIES, within
from mmfuse.errors import ConfigError

APART = ("fusion", "model", "completion", "balance", "imbalance", "schedule", "optimizer", "trainer")
SELECTED = ("modalities", "tasks", "seed", "seeds", "encoder", "objectives", "dataset.root")  # others follow from them
SECTIONS = ("strategy", "dataset.modalities", "dataset.tasks")
FOLLOWS = re.compile(r"\$\{(?!oc\.env:)")  # a key from another; the environment is the same for all runs
Shape = tuple[str, ...]  # what was typed, without the values and options that are set anew
Options = dict[str, str]  # by group


class Setting(NamedTuple):
    """What one typed argument asks: an option of a group, or a value of a key."""

    key: str
    value: Any
    option: bool


class Composer:
    def __init__(self, catalog: Catalog, allow: Collection[str] = (), experiment: str | None = None):
        self.catalog, self.allow, self.experiment = catalog, allow, experiment
        self.first = dict[Shape, tuple[Options, Composed, Sequence[str]]]()  # by shape, with what was typed
        self.others = dict[tuple[Shape, str, str], Composed | None]()  # the first with another option of one group
        self.joined = dict[tuple[Shape, tuple[str, ...]], Composed | None]()
        files = [file for name, found in catalog.files.items() for file in found if not name.startswith("encoder/")]
        files += [Path(experiment)] if experiment and Path(experiment).is_file() else []
        self.bound = any(FOLLOWS.search(file.read_text(encoding="utf-8")) for file in files)
        self.setting = cache(self.read)
        self.inside = cache(self.bound_encoder)

    def __call__(self, typed: Sequence[str]) -> Config:
        """What `compose` makes of it, whose parts may be shared with other configs: not to be changed."""
        settings = [self.setting(text) for text in typed]
        keys = [setting.key for setting in settings if setting is not None]
        if self.bound or len(set(keys)) < len(keys):
            return self.whole(typed).config
        options = {s.key: str(s.value) for s in settings if s is not None and s.option}
        shape = tuple(t if s is None else f"{s.key}=" for t, s in zip(typed, settings, strict=True))
        if shape not in self.first:
            self.first[shape] = options, self.whole(typed), typed
            return self.first[shape][1].config
        base = self.join(shape, options)
        if base is None:
            return self.whole(typed).config
        config, known = base
        for setting in settings:
            if setting is None or setting.option:
                continue
            if not is_leaf(setting.key, config, known) or self.inside(known.options.get(encoder_of(setting.key), "")):
                return self.whole(typed).config
            value = schema.as_text(setting.value, known.fields[setting.key].type)
            schema.check(known, setting.key, value)
            config = put(config, setting.key.split("."), value)
        return config

    def whole(self, typed: Sequence[str]) -> Composed:
        return composed(typed, self.catalog, self.allow, self.experiment)

    def join(self, shape: Shape, options: Options) -> Composed | None:
        """The first of its shape with these options; None where they are not each for itself."""
        key = shape, tuple(options.values())
        if key not in self.joined:
            self.joined[key] = self.joining(shape, options)
        return self.joined[key]

    def joining(self, shape: Shape, options: Options) -> Composed | None:
        chosen, (config, known), _ = self.first[shape]
        for group, option in options.items():
            if option == chosen[group]:
                continue
            other = self.other(shape, group, option)
            if other is None or not apart(self.first[shape][1].config, other.config, group):
                return None
            config = config | {group: other.config[group], "choices": config["choices"] | {group: option}}
            fields = {k: field for k, field in known.fields.items() if not within(k, group)}
            fields |= {k: field for k, field in other.known.fields.items() if within(k, group)}
            known = known._replace(fields=fields, options={**known.options, group: f"{group}/{option}"})
        return Composed(config, known)

    def other(self, shape: Shape, group: str, option: str) -> Composed | None:
        key = shape, group, option
        if key not in self.others:
            typed = [f"{group}={option}" if self.chooses(text, group) else text for text in self.first[shape][2]]
            try:
                self.others[key] = self.whole(typed)
            except ConfigError:  # with the values that the first has
                self.others[key] = None
        return self.others[key]

    def chooses(self, text: str, group: str) -> bool:
        setting = self.setting(text)
        return setting is not None and setting.option and setting.key == group

    def read(self, text: str) -> Setting | None:
        """None of what decides more than itself."""
        from hydra.core.override_parser.overrides_parser import OverridesParser
        from hydra.errors import HydraException

        (argument,) = parse([text])
        key = argument.key
        if argument.sign not in ("", "++") or "@" in key or "/" in key or key.endswith("._target_") or "${" in text:
            return None
        if key in APART:
            return Setting(key, argument.value, True) if WORD.fullmatch(argument.value) else None
        if key in SELECTED or key in SECTIONS or any(within(key, section) for section in (*SECTIONS, *ENTRIES)):
            return None
        if key in self.catalog.groups() or (within(key, "encoder") and key.count(".") == 1):
            return None
        try:
            value = OverridesParser.create().parse_override(f"{key}={quoted(argument.value)}").value()
        except HydraException:
            return None
        return None if isinstance(value, dict) or value == "???" else Setting(key, value, False)

    def bound_encoder(self, option: str) -> bool:
        """Whether an encoder's file names keys that follow from others of it."""
        return any("${" in file.read_text(encoding="utf-8") for file in self.catalog.files.get(option, ()))


def apart(one: Config, other: Config, group: str) -> bool:
    """Whether they differ in this group only."""
    return all(one.get(key) == other.get(key) for key in {*one, *other} - {group, "choices"})


def encoder_of(key: str) -> str:
    """
    >>> encoder_of("encoder.text.prepare.size"), encoder_of("optimizer.lr")
    ('encoder.text', '')
    """
    return ".".join(key.split(".")[:2]) if within(key, "encoder") else ""


def is_leaf(key: str, config: Config, known: schema.Schema) -> bool:
    inside: Any = config
    for name in key.split("."):
        if not isinstance(inside, dict) or name not in inside:
            return False
        inside = inside[name]
    return key in known.fields and not isinstance(inside, dict)


def put(config: Config, path: Sequence[str], value: Any) -> Config:
    """A copy in which only what leads to the key is another.

    >>> put({"a": {"b": 1}, "c": {}}, ["a", "b"], 2)
    {'a': {'b': 2}, 'c': {}}
    """
    first, *rest = path
    return config | {first: put(config[first], rest, value) if rest else value}
