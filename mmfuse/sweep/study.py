"""The study that a search keeps its trials in: made by whoever comes first, joined by all others."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mmfuse.errors import ConfigError, offer

if TYPE_CHECKING:
    from optuna import Study

JOURNAL = "journal"  # the storage that is a file in the folder of the sweep
SEARCHES = ("random", "tpe")
PRUNERS = ("none", "median", "hyperband")


Direction = Literal["max", "min"]


class Rules(NamedTuple):
    """How it is searched."""

    trials: int  # of all workers together
    sampler: Literal["random", "tpe"] = "tpe"
    pruner: Literal["none", "median", "hyperband"] = "none"
    seed: int = 0
    startup: int = 10  # random trials before the sampler goes by what it knows, and finished ones before one is pruned
    warmup: int = 1  # epochs that every run has before it may be pruned
    epochs: int | None = None  # that a run has at most; None: as many as the first finished one has


def refuse_unless_possible(rules: Rules) -> None:
    """
    >>> refuse_unless_possible(Rules(0))
    Traceback (most recent call last):
    mmfuse.errors.ConfigError: sweep.trials=0: at least 1 is needed
    """
    for key, value, known in (("search", rules.sampler, SEARCHES), ("pruner", rules.pruner, PRUNERS)):
        if value not in known:
            raise ConfigError(f"sweep.{key}={value}: there is no such one\n  {offer(value, known, 'there are')}")
    for key, number, least in (("trials", rules.trials, 1), ("startup", rules.startup, 1), ("warmup", rules.warmup, 0)):
        if number < least:
            raise ConfigError(f"sweep.{key}={number}: at least {least} is needed")
    if find_spec("optuna") is None:
        asked = f"search={rules.sampler}" if rules.pruner == "none" else f"pruner={rules.pruner}"
        raise ConfigError(
            f"sweep.{asked} needs the package optuna\n  to go on: pip install 'mmfuse[search]', or sweep.search=grid"
        )


def opened(
    name: str,
    storage: str,
    folder: Path,
    rules: Rules,
    direction: Direction,
    about: Mapping[str, Any],
) -> "Study":
    """`folder` is the sweep's, where its journal is; `about` is what all who share the study must have alike."""
    refuse_unless_possible(rules)
    import optuna

    from mmfuse.sweep import sampler, storages
    from mmfuse.sweep.pruner import pruner

    optuna.logging.set_verbosity(optuna.logging.ERROR)  # else a line for each trial
    makes = sampler.random if rules.sampler == "random" else sampler.tpe(rules.startup)
    study = optuna.create_study(
        study_name=name,
        storage=storages.opened(storage, folder),
        sampler=sampler.Numbered(makes, rules.seed),
        pruner=pruner(rules.pruner, rules.startup, rules.warmup, rules.epochs),
        direction="maximize" if direction == "max" else "minimize",
        load_if_exists=True,
    )
    refuse_unless_alike(study, {**about, "direction": direction}, storage)
    return study


def refuse_unless_alike(study: "Study", about: Mapping[str, Any], storage: str) -> None:
    """Signs a study that is new."""
    before = study.user_attrs
    for key, value in about.items():
        if key not in before:
            study.set_user_attr(key, value)
        elif before[key] != value:
            raise ConfigError(
                f"sweep.storage={storage.rpartition('@')[2]}: its study '{study.study_name}' is of other {key}"
                f"\n  there: {before[key]}\n  here: {value}"
                "\n  to go on: name=ANOTHER, or another sweep.storage"
            )
