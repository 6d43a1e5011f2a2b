"""What is trained: modalities in the data set's order, their encoders, tasks, seeds, and where the files are."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from mmfuse.config import schema
from mmfuse.config.arguments import Argument
from mmfuse.config.catalog import Catalog
from mmfuse.config.fields import BESIDES, INSIDE
from mmfuse.config.precheck import located
from mmfuse.errors import ConfigError, offer

Config = dict[str, Any]
SUCH_AS = {
    "modalities": "'dataset.modalities={review: {kind: text}}'",
    "tasks": "'dataset.tasks={label: {kind: multiclass}}'",
}


def subsets(config: Config, encoders: Collection[str]) -> None:
    """Makes modalities, tasks and seeds plain lists, and drops of the data set what is not among them."""
    have = config["dataset"].get("modalities") or {}
    for modality in (*config["encoder"], *encoders):
        if modality not in have:
            said = f"encoder.{modality}: the data set has no modality '{modality}'"
            raise ConfigError(f"{said}\n  {offer(modality, have, 'it has')}")
    for what in ("modalities", "tasks"):
        have = config["dataset"].get(what) or {}
        config[what] = names(what, have, config[what], config["strategy"]["tasks"] == "one")
        config["dataset"][what] = {name: have[name] for name in config[what]}
    config["seeds"] = config["seeds"] if config["seeds"] is not None else [config["seed"]]
    if not config["seeds"]:
        raise ConfigError("seeds=[]: at least one is needed, such as seeds=[0,1,2]")
    numbers = [seed for seed in (config["seed"], *config["seeds"]) if isinstance(seed, int)]  # others: check_tree
    if not all(0 <= seed < 2**32 for seed in numbers):
        raise ConfigError(f"seeds={config['seeds']}: a seed is a number from 0 up to 4294967295")
    if len(set(config["seeds"])) < len(config["seeds"]):
        raise ConfigError(f"seeds={config['seeds']}: the same seed twice is the same run twice")


def names(what: str, have: Mapping[str, Any], wanted: list[str] | str | None, one_task: bool) -> list[str]:
    """Those wanted, in the order in which the data set has them."""
    if not have:
        raise ConfigError(f"dataset.{what} names none\n  such as {SUCH_AS[what]}\n  see: mmfuse show dataset/table")
    if wanted is None:
        return list(have)[:1] if what == "tasks" and one_task else list(have)
    wanted = [wanted] if isinstance(wanted, str) else wanted
    for name in wanted:
        if name not in have:
            raise ConfigError(f"{what}={wanted}: the data set has no '{name}'\n  {offer(str(name), have, 'it has')}")
    if not wanted:
        raise ConfigError(f"{what}=[]: at least one is needed\n  there are: {', '.join(have)}")
    if what == "tasks" and one_task and len(wanted) > 1:
        raise ConfigError(f"tasks={wanted}: strategy=single_task learns one task\n  such as tasks=[{wanted[0]}]")
    return [name for name in have if name in wanted]


def encoders(config: Config, typed: Mapping[str, Argument], catalog: Catalog) -> dict[str, str]:
    """Fills config["encoder"] for each modality, and says which was chosen."""
    from omegaconf import OmegaConf

    given, chosen, found = config["encoder"], {}, {}
    for modality, about in config["dataset"]["modalities"].items():
        kind = about.get("kind") if isinstance(about, dict) else None
        if kind is None:
            for key in about if isinstance(about, dict) else ():
                schema.check(schema.Schema({}, (), {}), f"dataset.modalities.{modality}.{key}", None, known_value=False)
            raise ConfigError(f"dataset.modalities.{modality}: kind is missing, such as {{kind: text}}")
        own = given.get(modality) or {}
        own = {"name": own} if isinstance(own, str) else dict(own)
        name = own.pop("name", None)
        name = typed[modality].value if modality in typed else name
        file = located(schema.encoder_file, typed.get(modality), catalog, modality, kind, name)
        base: Any = OmegaConf.to_container(OmegaConf.load(file))
        wanted = {part: t for part, t in targets(own).items() if t != targets(base).get(part)}
        if wanted:  # somebody's own encoder, or another part inside it
            nothing = schema.Schema({}, (), {})
            keys = schema.with_encoder(nothing, catalog, modality, kind, name, wanted).fields
            if "" in wanted:
                base = {k: v for k, v in base.items() if f"encoder.{modality}.{k}" in keys or k in BESIDES}
            for part in set(wanted) & set(base):
                base[part] = {k: v for k, v in base[part].items() if f"encoder.{modality}.{part}.{k}" in keys}
        chosen[modality] = OmegaConf.to_container(OmegaConf.merge(base, own), resolve=True)
        found[modality] = file.stem
    config["encoder"] = chosen
    return found


def objectives(config: Config, typed: Argument | None, catalog: Catalog) -> list[str]:
    """Fills config["objectives"] with what was chosen: in a file as a list or with keys, or on the command line."""
    from omegaconf import OmegaConf

    given = config["objectives"] or {}
    given = {name: {} for name in given} if isinstance(given, list) else given
    chosen = (typed.names() or []) if typed else list(given)
    if strays := [name for name, keys in given.items() if keys and name not in chosen]:
        raise ConfigError(
            f"objectives.{strays[0]} is set, but not chosen\n  such as objectives=[{','.join([*chosen, strays[0]])}]"
        )
    found = {}
    for name in chosen:
        file = located(catalog.find, typed, "objectives", name)
        found[name] = OmegaConf.to_container(OmegaConf.merge(OmegaConf.load(file), given.get(name) or {}), resolve=True)
    config["objectives"] = found
    return list(found)


def targets(encoder: Mapping[str, Any]) -> dict[str, str]:
    """What is to be built: the encoder by "", what is inside it and besides it by their names."""
    named = {"": encoder, **{part: encoder.get(part) for part in (*BESIDES, *INSIDE)}}
    return {part: about["_target_"] for part, about in named.items() if isinstance(about, dict) and "_target_" in about}


def place(config: Config, name: str) -> None:
    """Where a data set of this name has its files, unless it was said: $MMFUSE_DATA/<name>, else data/<name>."""
    if "root" in config["dataset"] and config["dataset"]["root"] is None and name != "table":
        config["dataset"]["root"] = str(Path(os.environ.get("MMFUSE_DATA", "data")) / name)
