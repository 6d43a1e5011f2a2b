"""The keys there are, what each accepts and means: read from the yaml files and from what they are to be built with."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml

from mmfuse.config import target as targets
from mmfuse.config.catalog import Catalog
from mmfuse.config.types import ANYTHING, Type, of_annotation, of_comment, of_default
from mmfuse.errors import ConfigError

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's where it was built in: the other is 10 times slower

GIVEN_IN_CODE = {  # what mmfuse/run passes besides the config
    "encoder": {"size", "vectors", "columns"},
    "augment": {"size"},
    "front": {"rate"},
    "frame": {"size"},
    "completion": {"dims"},
    "fusion": {"dims"},
    "model": {"encoders", "tasks", "fusion", "completion"},
    "objectives": {"dims", "tasks"},
    "balance": {"losses", "modalities", "tasks"},
    "schedule": {"modalities", "epochs"},
    "launcher": {"allow", "threads", "devices"},
}
MODALITY = {
    "kind": "str",
    "column": "str | None",
    "columns": "list[str] | None",
    "file": "str | None",
    "key": "str | None",
    "file_column": "str | None",
    "row_column": "str | None",
}
TASK = {
    "kind": 'Literal["multiclass", "multilabel", "regression", "tokens", "pairs"]',
    "column": "str | None",
    "classes": "list | None",
    "separator": "str | None",
    "of": "str | None",
    "between": "list[str] | None",
    "scale": 'Literal["sentiment"] | None',
}
ENTRIES = {
    "dataset.modalities": {k: of_annotation(v) for k, v in MODALITY.items()},
    "dataset.tasks": {k: of_annotation(v) for k, v in TASK.items()},
}


BESIDES = ("prepare", "augment")  # what an encoder's file names besides the encoder
INSIDE = ("front", "frame")  # what an encoder is made of and its file names, to be built by it


class Field(NamedTuple):
    default: Any
    type: Type
    comment: str


Fields = dict[str, Field]  # by dotted key


def of_file(file: Path, prefix: str = "", group: str = "", catalog: Catalog | None = None) -> Fields:
    """The keys of a yaml file, those of the files of its group that its defaults name included."""
    text, root, values = parsed(file)
    fields: Fields = {}
    if root is None:
        return fields
    for name in values.get("defaults", []):
        if isinstance(name, str) and catalog is not None and not name.startswith(("_", "/")):
            fields |= of_file(catalog.find(group, name), prefix, group, catalog)
    collect(root, text.splitlines(), values, prefix, fields)
    return {key: field for key, field in fields.items() if key.removeprefix(prefix).lstrip(".") != "defaults"}


def parsed(file: Path) -> tuple[str, yaml.MappingNode | None, dict[str, Any]]:
    """A yaml file's text, its nodes, which know their lines, and its values."""
    try:
        text = file.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=Loader)
        values = yaml.load(text, Loader=Loader)
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{file}{line}: not a readable yaml file: {getattr(error, 'problem', error)}") from error
    return (text, root, values) if isinstance(root, yaml.MappingNode) else (text, None, {})


def collect(node: yaml.MappingNode, lines: list[str], values: dict[str, Any], prefix: str, fields: Fields) -> None:
    for key_node, value_node in node.value:
        key, value = str(key_node.value), values[key_node.value]
        path = f"{prefix}.{key}" if prefix else key
        _, _, comment = lines[key_node.start_mark.line].partition("  # ")
        if isinstance(value_node, yaml.MappingNode) and value and path not in ENTRIES:
            collect(value_node, lines, value, path, fields)
        else:
            declared = of_comment(comment, value)
            meaning = comment.partition(":")[2] if declared else comment
            fields[path] = Field(value, declared or of_default(value), meaning.strip())


def of_part(fields: Fields, prefix: str, group: str, own_target: str | None = None) -> Fields:
    """A part's keys with the types that its target's arguments have.

    `own_target` is another target than the file names: then the keys are its arguments, and the file's only where it
    has them, too.
    """
    named = fields.get(f"{prefix}._target_")
    name = own_target or (str(named.default) if named else "")
    target = targets.read(name) if name else None
    if target is None:
        return fields
    given = GIVEN_IN_CODE.get(group, set())
    typed = {key: f for key, f in fields.items() if key in (f"{prefix}._target_", f"{prefix}._partial_")} | {
        key: f
        for key, f in fields.items()
        if not within(key, prefix) or any(within(key, f"{prefix}.{besides}") for besides in BESIDES)
    }
    for argument, kind in target.parameters.items():
        key = f"{prefix}.{argument}"
        known = {k: f for k, f in fields.items() if k == key or within(k, key)}
        if argument in given:
            continue
        if any(k != key for k in known):  # a dict with keys of its own
            typed |= known
        else:
            field = known.get(key, Field(None, ANYTHING, ""))
            bounded = kind._replace(bounds=field.type.bounds)
            typed[key] = Field(field.default, bounded if kind != ANYTHING else field.type, field.comment)
    return typed


def of_encoder(fields: Fields, prefix: str, own_targets: Mapping[str, str] = MappingProxyType({})) -> Fields:
    """An encoder's keys and those of what its file names besides.

    `own_targets` are other ones than the file names: of the encoder by "", of a part inside or besides it by its name.
    """
    fields = of_part(fields, prefix, "encoder", own_targets.get(""))
    for part in (*BESIDES, *INSIDE):
        fields = of_part(fields, f"{prefix}.{part}", part, own_targets.get(part))
    return fields


def within(key: str, prefix: str) -> bool:
    return key.startswith(f"{prefix}.")
