"""The keys of a sweep itself: sweep.* by configs/sweep.yaml, launcher.* by what is chosen of configs/launcher."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from mmfuse.config import schema
from mmfuse.config import target as targets
from mmfuse.config.arguments import Argument, quoted
from mmfuse.config.catalog import Catalog
from mmfuse.config.fields import of_file, of_part, parsed, within
from mmfuse.config.precheck import located
from mmfuse.errors import ConfigError

Settings = dict[str, Any]


class Own(NamedTuple):
    sweep: Settings
    launcher: Settings  # "_target_" and what it takes
    name: str  # of the launcher


def own(arguments: Sequence[Argument], catalog: Catalog, allow: Collection[str]) -> Own:
    chosen = next((a for a in reversed(arguments) if a.key == "launcher"), None)
    name = chosen.value if chosen else "local"
    file = located(catalog.find, chosen, "launcher", name)
    launcher = parsed(file)[2]
    if file.is_relative_to(catalog.folders[-1]) is False:  # somebody's own
        targets.check_allowed(str(launcher.get("_target_")), "launcher", allow)
    fields = of_part(of_file(file, "launcher"), "launcher", "launcher")
    known = schema.Schema(fields, (), {"launcher": f"launcher/{name}"})
    for argument in arguments:
        if within(argument.key, "launcher"):
            put(launcher, argument, known)
    search = catalog.files["sweep"][0]
    values = parsed(search)[2]
    known = schema.Schema(of_file(search, "sweep"), (), {})
    for argument in arguments:
        if within(argument.key, "sweep"):
            put(values, argument, known)
        elif argument.key == "sweep":
            raise ConfigError(f"sweep takes keys of its own, such as sweep.search=random{argument.place}")
    return Own(values, launcher, name)


def put(settings: Settings, argument: Argument, known: schema.Schema) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    key = argument.key
    if argument.sign or key.endswith("._target_"):
        raise ConfigError(f"{argument.sign}{key} cannot be set here{argument.place}")
    try:
        value = OverridesParser.create().parse_override(f"{key}={quoted(argument.value)}").value()
    except HydraException as error:
        raise ConfigError(f"'{key}={argument.value}' cannot be read{argument.place}") from error
    if key in known.fields:
        value = schema.as_text(value, known.fields[key].type)
    located(schema.check, argument, known, key, value)
    *parents, last = key.split(".")[1:]
    for name in parents:
        settings = settings.setdefault(name, {})
    settings[last] = value
