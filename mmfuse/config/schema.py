"""All keys of one experiment, given what was chosen for each group. Built without Hydra: a typo is told at once."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml

from mmfuse.config.catalog import ENCODER_OF_KIND, Catalog
from mmfuse.config.fields import ENTRIES, Field, Fields, Loader, of_encoder, of_file, of_part, within
from mmfuse.config.types import ANYTHING, Type
from mmfuse.errors import ConfigError, closest, offer


def defaults(catalog: Catalog) -> dict[str, str]:
    """What train.yaml chooses for each group."""
    listed = yaml.load(catalog.files["train"][0].read_text(encoding="utf-8"), Loader=Loader)["defaults"]
    return {group: name for entry in listed if isinstance(entry, dict) for group, name in entry.items()}


OF_SWEEPS = ("sweep", "launcher")


class Schema(NamedTuple):
    fields: Fields
    root: tuple[str, ...]  # the keys of train.yaml itself, none of which can be done without
    options: Mapping[str, str]  # by prefix, such as "fusion" or "encoder.text": what was chosen, "fusion/gated"


def build(catalog: Catalog, choices: Mapping[str, str], own_targets: Mapping[str, str]) -> Schema:
    """`own_targets` by prefix, such as {"fusion": "mypackage.Mine"}."""
    fields = of_file(catalog.files["train"][0])
    del fields["encoder"], fields["objectives"]  # whose keys depend on what is chosen: `with_encoder`, `with_objective`
    root = tuple(fields)
    for group, name in choices.items():
        if group == "strategy":
            keys = of_file(catalog.find(group, name), "", group, catalog)  # of the root
            fields |= {key: field for key, field in keys.items() if not within(key, "objectives")}
        elif group not in ("experiment", "baseline"):
            part = of_file(catalog.find(group, name), group, group, catalog)
            part = {key: merged(field, fields.get(key)) for key, field in part.items()}
            fields |= of_part(part, group, group, own_targets.get(group))
    return Schema(fields, root, {group: f"{group}/{name}" for group, name in choices.items()})


def merged(field: Field, general: Field | None) -> Field:
    """A data set's file gives another default to a key of train.yaml, whose type and meaning stay."""
    if general is None:
        return field
    return Field(field.default, general.type, field.comment or general.comment)


def with_encoder(
    schema: Schema,
    catalog: Catalog,
    modality: str,
    kind: str,
    name: str | None,
    own_targets: Mapping[str, str] = MappingProxyType({}),
) -> Schema:
    """The schema with the keys of one modality's encoder; of `own_targets` as `of_encoder` takes them."""
    prefix, file = f"encoder.{modality}", encoder_file(catalog, modality, kind, name)
    part = of_encoder(of_file(file, prefix), prefix, own_targets)
    return Schema(schema.fields | part, schema.root, {**schema.options, prefix: f"encoder/{kind}/{file.stem}"})


def with_objective(schema: Schema, catalog: Catalog, name: str, own_target: str | None = None) -> Schema:
    prefix = f"objectives.{name}"
    part = of_part(of_file(catalog.find("objectives", name), prefix), prefix, "objectives", own_target)
    return Schema(schema.fields | part, schema.root, {**schema.options, prefix: f"objectives/{name}"})


def encoder_file(catalog: Catalog, modality: str, kind: str, name: str | None = None) -> Path:
    if kind not in ENCODER_OF_KIND:
        raise ConfigError(
            f"dataset.modalities.{modality}.kind: there is no kind '{kind}'\n  {offer(kind, ENCODER_OF_KIND, 'kinds')}"
        )
    options, name = catalog.options(f"encoder/{kind}"), name or ENCODER_OF_KIND[kind]
    if name not in options:
        elsewhere = [g for g in sorted(catalog.groups()) if g.startswith("encoder/") and name in catalog.options(g)]
        what = f"is for {', '.join(g.split('/')[1] for g in elsewhere)}" if elsewhere else "does not exist"
        raise ConfigError(
            f"encoder.{modality}={name}: '{modality}' is of kind {kind}, and the encoder '{name}' {what}\n"
            f"  {offer(name, options, f'encoders of {kind}')}"
        )
    return catalog.find(f"encoder/{kind}", name)


def check(schema: Schema, key: str, value: Any, known_value: bool = True) -> None:
    """Refuses a key that is not there, and a value that its type does not admit. A message without the place."""
    fields = schema.fields
    for entries, accepted in ENTRIES.items():
        if within(key, entries):
            check_entry(entries, accepted, key, value, known_value)
            return
    if key in fields:
        if known_value and not fields[key].type.accepts(as_text(value, fields[key].type)):
            raise ConfigError(f"{key} takes {fields[key].type}, not {shown(value)}\n  {meaning(schema, key)}")
        return
    for parent in parents(key):
        if parent in fields and ("dict" in fields[parent].type.names or fields[parent].type == ANYTHING):
            return
    if inner := next((k for k in fields if within(k, key)), None):
        if known_value and not isinstance(value, dict):
            raise ConfigError(f"{key} takes keys of its own, such as {inner}")
        return
    raise ConfigError(unknown(schema, key))


def as_text(value: Any, kind: Type) -> Any:
    """A number where text is wanted, and no number, is text: name=2024."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if number and set(kind.names) - {"null"} == {"str"} else value


def parents(key: str) -> list[str]:
    """The key and all that it is within.

    >>> parents("a.b.c")
    ['a.b.c', 'a.b', 'a']
    """
    parts = key.split(".")
    return [".".join(parts[:n]) for n in range(len(parts), 0, -1)]


def check_entry(entries: str, accepted: Mapping[str, Type], key: str, value: Any, known_value: bool) -> None:
    """A key of dataset.modalities.<name> or dataset.tasks.<name>."""
    name, _, rest = key.removeprefix(f"{entries}.").partition(".")
    if not name.isidentifier():
        raise ConfigError(f"{entries}: '{name}' is no name; letters, digits and _ make one")
    if not rest:
        for inner, v in value.items() if known_value and isinstance(value, dict) else ():
            check_entry(entries, accepted, f"{key}.{inner}", v, True)
        if known_value and not isinstance(value, dict):
            raise ConfigError(f"{key} takes keys: {', '.join(accepted)}; such as {{kind: text, column: review}}")
    elif rest.split(".")[0] not in accepted:
        raise ConfigError(f"unknown key '{key}'\n  {offer(rest, accepted, 'there are')}")
    elif known_value and "." not in rest and not accepted[rest].accepts(value):
        raise ConfigError(f"{key} takes {accepted[rest]}, not {shown(value)}")


def unknown(schema: Schema, key: str) -> str:
    fields = schema.fields
    head = key.split(".")[0]
    if head in OF_SWEEPS and not any(within(k, head) for k in fields):
        return f"'{key}' is a key of sweeps, and this is one experiment\n  to go on: mmfuse sweep {key}=..."
    section = next((p for p in parents(key)[1:] if any(within(k, p) for k in fields)), "")
    names = [k for k in fields if within(k, section) and not k.rpartition(".")[2].startswith("_")] if section else []
    tops = sorted({k.split(".")[0] for k in fields})
    guess = closest(key, names or (fields if "." in key else tops)) or closest(key, fields)
    if not guess:  # the right name in the wrong place: lr for optimizer.lr
        places = {k.rpartition(".")[2]: k for k in reversed(list(fields))}
        last = get_close_matches(key.rpartition(".")[2], places, n=1, cutoff=0.7)
        guess = f"did you mean '{places[last[0]]}'?" if last else ""
    option = schema.options.get(section)
    direct = [k for k in names if "." not in k.removeprefix(section + ".")]
    accepts = (
        f"{option.rpartition('/')[2] if option else section} accepts: "
        + (", ".join(described(fields[k], k, section) for k in direct[:10]) or "no keys")
        if section
        else f"keys: {', '.join(tops)}"
    )
    see = f"\n  see: mmfuse show {option}" if option else ""
    return f"unknown key '{key}'\n  {'   '.join(filter(None, [guess, accepts]))}{see}"


def described(field: Field, key: str, section: str) -> str:
    kind = f"{field.type._replace(bounds=())} = " if field.type != ANYTHING else ""
    return f"{key.removeprefix(section + '.')} ({kind}{shown(field.default)})"


def meaning(schema: Schema, key: str) -> str:
    field = schema.fields[key]
    option = next((schema.options[p] for p in parents(key) if p in schema.options), None)
    default = "" if field.default == "???" else f"default: {shown(field.default)}"
    return "; ".join(filter(None, [field.comment, default])) + (f"\n  see: mmfuse show {option}" if option else "")


def shown(value: Any) -> str:
    """As it would be typed."""
    if value is None:
        return "null"
    if isinstance(value, dict) and value:
        return "{...}"
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, str) else str(value)
