"""From what was typed to one resolved config, or to an error that says what to type instead. Torch is not imported.

Typos are told before Hydra is even loaded (schema.py); then Hydra composes; then the whole tree is checked once more,
for keys may also come from files. Encoders are chosen here and not by Hydra's groups, because which of them fit depends
on the kinds of the data set's modalities.
"""

import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmfuse.config import schema, select
from mmfuse.config.arguments import WORD, Argument, parse, quoted
from mmfuse.config.catalog import Catalog
from mmfuse.config.fields import ENTRIES, parsed, within
from mmfuse.config.precheck import OTHERS, located, precheck
from mmfuse.config.target import check_allowed
from mmfuse.errors import ConfigError

Config = dict[str, Any]


class Composed(NamedTuple):
    config: Config  # resolved, of plain containers; "choices" (what was chosen for each group) is among its keys
    known: schema.Schema  # all keys that it may have


def compose(
    typed: Sequence[str], catalog: Catalog, allow: Collection[str] = (), experiment: str | None = None
) -> Config:
    return composed(typed, catalog, allow, experiment).config


def composed(
    typed: Sequence[str], catalog: Catalog, allow: Collection[str] = (), experiment: str | None = None
) -> Composed:
    arguments = parse(typed)
    encoders = {a.key.split(".")[1]: a for a in arguments if chooses_encoder(a)}
    objectives = next((a for a in reversed(arguments) if a.key == "objectives" and a.names() is not None), None)
    groups = {a.key: a for a in arguments if a.key in catalog.groups() - {"objectives"} and WORD.fullmatch(a.value)}
    chosen = {a.key: located(catalog.find, a, a.key, a.value) and a.value for a in groups.values() if a.value != "null"}
    if experiment is None:  # whose file may choose otherwise
        precheck(arguments, catalog, schema.defaults(catalog) | chosen, encoders, objectives)
    own_way = [*groups.values(), *encoders.values(), *([objectives] if objectives else [])]
    values = [a for a in arguments if a not in own_way]
    config, choices = by_hydra(list(groups.values()), values, catalog, experiment)
    for group in schema.defaults(catalog):
        if not isinstance(config.get(group), dict) or group not in choices:
            raise ConfigError(f"an experiment needs a {group}\n  such as {group}={schema.defaults(catalog)[group]}")
    targets = own_targets(config, choices, catalog)
    known = schema.build(catalog, choices, targets)
    drop_leftovers(config, targets, known, {a.key for a in arguments})
    select.subsets(config, encoders)
    names = select.encoders(config, encoders, catalog)
    for modality, name in names.items():
        kind = config["dataset"]["modalities"][modality]["kind"]
        known = schema.with_encoder(known, catalog, modality, kind, name, select.targets(config["encoder"][modality]))
    for name in select.objectives(config, objectives, catalog):
        known = schema.with_objective(known, catalog, name, config["objectives"][name].get("_target_"))
    check_tree(config, known, arguments, allow)
    select.place(config, choices["dataset"])
    for modality, name in names.items():
        config["encoder"][modality] = {"name": name, **config["encoder"][modality]}
    return Composed(config | {"choices": choices}, known)


def chooses_encoder(argument: Argument) -> bool:
    return argument.key.startswith("encoder.") and argument.key.count(".") == 1 and bool(WORD.fullmatch(argument.value))


def by_hydra(
    groups: Sequence[Argument], values: Sequence[Argument], catalog: Catalog, experiment: str | None
) -> tuple[Config, dict[str, str]]:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    overrides = [f"{a.sign}{a.key}={a.value}" for a in groups]
    for a in values:
        sign = a.sign if "@" in a.key or "/" in a.key or a.sign == "~" else "++"
        overrides.append(f"{sign}{a.key}={quoted(a.value)}" if a.value or sign != "~" else f"~{a.key}")
    with tempfile.TemporaryDirectory() as beside:
        own = [*catalog.own]
        if experiment is not None:
            overrides.insert(0, f"+experiment={experiment_name(experiment, catalog, Path(beside))}")
            own.append(Path(beside))
        if own:
            overrides.append(f"hydra.searchpath={[f'file://{folder}' for folder in own]}")
        try:
            with initialize_config_dir(version_base="1.3", config_dir=str(catalog.folders[-1])):
                composed = hydra_compose("train", overrides, return_hydra_config=True)
            choices = {g: str(n) for g, n in composed.hydra.runtime.choices.items() if not g.startswith("hydra/") and n}
            OmegaConf.set_struct(composed, False)
            del composed["hydra"]
            config = OmegaConf.to_container(composed, resolve=True)
        except (HydraException, OmegaConfBaseException, YAMLError, ValueError) as error:
            raise hydras(error, [*groups, *values]) from error
    assert isinstance(config, dict)
    return {str(k): v for k, v in config.items()}, choices


def hydras(error: Exception, arguments: Sequence[Argument]) -> ConfigError:
    """Hydra's complaint, with the argument that it is about where it quotes one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and "hydra.cc" not in line]
    about = next((a for a in arguments if not readable(a)), None)
    if about is None:
        return ConfigError("\n  ".join(lines[:5]))
    advice = f"do its brackets and quotes match? such as '{about.key}=[a,b]'"
    if not about.value.isascii():
        advice = "names typed here are of letters a to z, columns of any: {review: {kind: text, column: 评论}}"
    return ConfigError(f"'{about.key}={about.value}' cannot be read{about.place}\n  {advice}\n  {lines[0]}")


def readable(argument: Argument) -> bool:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        OverridesParser.create().parse_override(f"{argument.key}={argument.value}")
    except HydraException:
        return False
    return True


def experiment_name(experiment: str, catalog: Catalog, beside: Path) -> str:
    """A name among the experiments, or a file, which is set beside them under its own name."""
    file = Path(experiment)
    if file.suffix not in (".yaml", ".yml"):
        catalog.find("experiment", experiment)
        return experiment
    if not file.is_file():
        raise ConfigError(f"-e {experiment}: there is no such file")
    (beside / "experiment").mkdir()
    text = parsed(file)[0]
    if "@package" not in text.partition("\n")[0]:  # an experiment sets keys of the root, whether it says so or not
        text = f"# @package _global_\n{text}"
    (beside / "experiment" / f"{file.stem}.yaml").write_text(text, encoding="utf-8")
    return file.stem


def drop_leftovers(config: Config, targets: Mapping[str, str], known: schema.Schema, typed: Collection[str]) -> None:
    """Where a part is somebody's own, what the packaged part's file said is dropped unless it is theirs as well."""
    for group in targets:
        keys = {key: f"{group}.{key}" for key in config[group]}
        kept = {k for k, whole in keys.items() if k == "_target_" or whole in known.fields or whole in typed}
        config[group] = {k: v for k, v in config[group].items() if k in kept}


def own_targets(config: Config, choices: Mapping[str, str], catalog: Catalog) -> dict[str, str]:
    """By group: what is to be built there, where it is another target than the chosen file names."""
    named = schema.build(catalog, choices, {}).fields
    found = {}
    for group in choices:
        target = config[group].get("_target_") if isinstance(config.get(group), dict) else None
        field = named.get(f"{group}._target_")
        if target is not None and field is not None and field.default != target:
            found[group] = target
    return found


def check_tree(config: Config, known: schema.Schema, arguments: Sequence[Argument], allow: Collection[str]) -> None:
    typed, fields = {a.key: a for a in arguments}, known.fields

    def visit(value: Any, key: str) -> Any:
        """The value, numbers made text where text is wanted."""
        argument = next((typed[k] for k in schema.parents(key) if k in typed), None)
        if key.endswith("._target_"):
            located(check_allowed, argument, str(value), key.removesuffix("._target_"), allow)
            return value
        if value == "???":
            raise ConfigError(f"{key} has to be given\n  {schema.meaning(known, key)}\n  such as {key}=...")
        extra = argument is not None and argument.sign == "+" and key.split(".")[0] in OTHERS
        if key == "objectives" and value == {}:  # none is chosen
            return value
        branch = isinstance(value, dict) and (not key or (key not in fields and any(within(k, key) for k in fields)))
        if branch:
            return {k: visit(v, f"{key}.{k}" if key else str(k)) for k, v in value.items()}
        if key in fields:
            value = schema.as_text(value, fields[key].type)
        if key in ENTRIES:
            for name, entry in value.items():
                located(schema.check, argument, known, f"{key}.{name}", entry)
        elif not extra:
            located(schema.check, argument, known, key, value)
        return value

    config.update(visit(config, ""))
    for key in known.root:
        if not there(config, key):
            raise ConfigError(f"{key} was deleted, but an experiment needs it\n  {schema.meaning(known, key)}")


def there(config: Config, key: str) -> bool:
    inside: Any = config
    for name in key.split("."):
        if not isinstance(inside, dict) or name not in inside:
            return False
        inside = inside[name]
    return True
