"""From what was typed to one resolved config, or to an error that says what to type instead. Torch is not imported.

Typos are told before Hydra is even loaded (schema.py); then Hydra composes; then the whole tree is checked once more,
for keys may also come from files. Encoders are chosen here and not by Hydra's groups, because which of them fit depends
on the kinds of the data set's modalities.
"""

import os
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmfuse.config import schema
from mmfuse.config.arguments import WORD, Argument, parse
from mmfuse.config.catalog import Catalog
from mmfuse.config.fields import ENTRIES, within
from mmfuse.config.target import check_allowed
from mmfuse.errors import ConfigError, closest

Config = dict[str, Any]


def compose(typed: Sequence[str], catalog: Catalog, allow: Collection[str] = (), experiment: str | None = None) -> Config:
    """The resolved config as plain containers, "choices" (what was chosen for each group) among its keys."""
    arguments = parse(typed)
    encoders = {a.key.split(".")[1]: a for a in arguments if chooses_encoder(a)}
    groups = {a.key: a for a in arguments if a.key in catalog.groups() and WORD.fullmatch(a.value)}
    chosen = {a.key: located(catalog.find, a, a.key, a.value) and a.value for a in groups.values() if a.value != "null"}
    if experiment is None:
        precheck(arguments, catalog, schema.defaults(catalog) | chosen, encoders)
    values = [a for a in arguments if a not in groups.values() and a not in encoders.values()]
    config, choices = by_hydra(list(groups.values()), values, catalog, experiment)
    keep_own_targets_clean(config, catalog, choices, arguments)
    select(config, encoders)
    names = choose_encoders(config, encoders, catalog)
    known = schema.build(catalog, choices, own_targets(config, choices))
    for modality, name in names.items():
        kind = config["dataset"]["modalities"][modality]["kind"]
        known = schema.with_encoder(known, catalog, modality, kind, name, config["encoder"][modality]["_target_"])
    check_tree(config, known, arguments, allow)
    place_data(config, choices["dataset"])
    for modality, name in names.items():
        config["encoder"][modality] = {"name": name, **config["encoder"][modality]}
    return config | {"choices": choices}


def chooses_encoder(argument: Argument) -> bool:
    return argument.key.startswith("encoder.") and argument.key.count(".") == 1 and bool(WORD.fullmatch(argument.value))


def precheck(arguments: Sequence[Argument], catalog: Catalog, choices: Mapping[str, str], encoders: Mapping) -> None:
    """Keys and simple values as far as they can be known without composing."""
    targets = {a.key.removesuffix("._target_"): a.value for a in arguments if a.key.endswith("._target_")}
    known = schema.build(catalog, choices, targets)
    modalities = known.fields["dataset.modalities"].default or {}
    declared = any("dataset.modalities" in schema.parents(a.key) for a in arguments)
    for modality, about in modalities.items():
        if "kind" in about and f"encoder.{modality}" not in targets and not declared:
            chosen = encoders.get(modality)
            name = chosen.value if chosen else None
            known = located(schema.with_encoder, chosen, known, catalog, modality, about["kind"], name)
    for argument in arguments:
        if argument.sign == "~" or "@" in argument.key or "/" in argument.key or argument.key in choices:
            continue
        if within(argument.key, "encoder"):
            modality = argument.key.split(".")[1]
            if declared or f"encoder.{modality}" in targets:
                continue
            if modality not in modalities:
                raise ConfigError(
                    f"'{argument.key}': the data set has no modality '{modality}'{argument.place}\n"
                    f"  {closest(modality, modalities)} it has: {', '.join(modalities) or 'none yet: dataset.modalities'}"
                )
            if argument.key.count(".") == 1:
                continue
        if argument.sign == "+" and argument.key.split(".")[0] in ("trainer", "optimizer"):
            continue  # more of the library's own arguments
        simple, value = argument.simple()
        located(schema.check, argument, known, argument.key, value, simple)


def located(do: Any, argument: Argument | None, *arguments: Any) -> Any:
    """Calls, and adds to an error's first line where the argument stands."""
    try:
        return do(*arguments)
    except ConfigError as error:
        first, *rest = str(error).split("\n")
        raise ConfigError("\n".join([first + (argument.place if argument else ""), *rest])) from None


def by_hydra(
    groups: Sequence[Argument], values: Sequence[Argument], catalog: Catalog, experiment: str | None
) -> tuple[Config, dict[str, str]]:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    overrides = [f"{a.sign}{a.key}={a.value}" for a in groups]
    for a in values:
        sign = a.sign if "@" in a.key or "/" in a.key or a.sign == "~" else "++"
        overrides.append(f"{sign}{a.key}={a.value}" if a.value or sign != "~" else f"~{a.key}")
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
        except (HydraException, OmegaConfBaseException) as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            raise ConfigError("\n  ".join(lines[:4])) from error
    assert isinstance(config, dict)
    return {str(k): v for k, v in config.items()}, choices


def experiment_name(experiment: str, catalog: Catalog, beside: Path) -> str:
    """A name among the experiments, or a file, which is set beside them under its own name."""
    file = Path(experiment)
    if file.suffix not in (".yaml", ".yml"):
        catalog.find("experiment", experiment)
        return experiment
    if not file.is_file():
        raise ConfigError(f"-e {experiment}: there is no such file")
    (beside / "experiment").mkdir()
    shutil.copy(file, beside / "experiment" / f"{file.stem}.yaml")
    return file.stem


def keep_own_targets_clean(
    config: Config, catalog: Catalog, choices: Mapping[str, str], arguments: Sequence[Argument]
) -> None:
    """Where a part is somebody's own, what the packaged part's file said is dropped unless it is theirs as well."""
    typed = {a.key for a in arguments}
    for prefix, target in own_targets(config, choices, catalog).items():
        known = schema.build(catalog, choices, {prefix: target})
        kept = {k for k in config[prefix] if f"{prefix}.{k}" in known.fields or f"{prefix}.{k}" in typed or k == "_target_"}
        config[prefix] = {k: v for k, v in config[prefix].items() if k in kept}


def own_targets(config: Config, choices: Mapping[str, str], catalog: Catalog | None = None) -> dict[str, str]:
    """By group: what is to be built there, where it differs from what the chosen file names (or all, without catalog)."""
    targets = {g: config[g]["_target_"] for g in choices if isinstance(config.get(g), dict) and "_target_" in config[g]}
    if catalog is None:
        return targets
    named = schema.build(catalog, choices, {}).fields
    return {g: t for g, t in targets.items() if named.get(f"{g}._target_") and named[f"{g}._target_"].default != t}


def select(config: Config, encoders: Collection[str]) -> None:
    """Makes plain what is trained: the modalities, in the data set's order, the tasks and the seeds."""
    for modality in (*config["encoder"], *encoders):
        if modality not in (have := config["dataset"].get("modalities") or {}):
            raise ConfigError(
                f"encoder.{modality}: the data set has no modality '{modality}'\n  it has: {', '.join(have) or 'none'}"
            )
    for what in ("modalities", "tasks"):
        have = config["dataset"].get(what) or {}
        wanted = config[what]
        if not have:
            raise ConfigError(
                f"dataset.{what} names none\n  such as '"
                + ("dataset.modalities={review: {kind: text}}'" if what == "modalities" else "dataset.tasks={label: {kind: multiclass}}'")
                + "\n  see: mmfuse show dataset/table"
            )
        if isinstance(wanted, str):
            wanted = [wanted]
        for name in wanted or ():
            if name not in have:
                raise ConfigError(
                    f"{what}={wanted}: the data set has no '{name}'\n  {closest(str(name), have)} it has: {', '.join(have)}"
                )
        if wanted is not None and not wanted:
            raise ConfigError(f"{what}=[]: at least one is needed\n  there are: {', '.join(have)}")
        if what == "tasks" and config["strategy"]["tasks"] == "one":
            if len(wanted or ()) > 1:
                raise ConfigError(f"tasks={wanted}: the strategy single_task learns one task\n  such as tasks=[{wanted[0]}]")
            wanted = wanted or [next(iter(have))]
        config[what] = [name for name in have if wanted is None or name in wanted]
        config["dataset"][what] = {name: have[name] for name in config[what]}
    config["seeds"] = config["seeds"] if config["seeds"] is not None else [config["seed"]]
    if not config["seeds"]:
        raise ConfigError("seeds=[]: at least one is needed, such as seeds=[0,1,2]")


def choose_encoders(config: Config, typed: Mapping[str, Argument], catalog: Catalog) -> dict[str, str | None]:
    """Fills config["encoder"] for each modality, and says what was chosen."""
    from omegaconf import OmegaConf

    given, chosen, names = config["encoder"], {}, {}
    for modality, about in config["dataset"]["modalities"].items():
        own = given.get(modality) or {}
        own = {"name": own} if isinstance(own, str) else dict(own)
        name = typed[modality].value if modality in typed else own.pop("name", None)
        own.pop("name", None)
        kind = about.get("kind") if isinstance(about, dict) else None
        if kind is None:
            raise ConfigError(f"dataset.modalities.{modality}: kind is missing, such as {{kind: text}}")
        file = located(schema.encoder_file, typed.get(modality), catalog, modality, kind, name)
        base = OmegaConf.to_container(OmegaConf.load(file))
        if own.get("_target_", base["_target_"]) != base["_target_"]:  # somebody's own encoder
            empty = schema.Schema({}, {})
            keys = schema.with_encoder(empty, catalog, modality, kind, file.stem, own["_target_"]).fields
            base = {k: v for k, v in base.items() if f"encoder.{modality}.{k}" in keys or k == "prepare"}
        chosen[modality] = OmegaConf.to_container(OmegaConf.merge(base, own))
        names[modality] = file.stem
    config["encoder"] = chosen
    return names


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
        extra = argument is not None and argument.sign == "+" and key.split(".")[0] in ("trainer", "optimizer")
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


def place_data(config: Config, name: str) -> None:
    """Where a data set of this name has its files, unless it was said: $MMFUSE_DATA/<name>, else data/<name>."""
    if "root" in config["dataset"] and config["dataset"]["root"] is None and name != "table":
        config["dataset"]["root"] = str(Path(os.environ.get("MMFUSE_DATA", "data")) / name)
