"""The runs that a table asks for, each composed and with its own folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmfuse import __version__
from mmfuse.errors import ConfigError, offer
from mmfuse.reproduce.files import of_files
from mmfuse.reproduce.table import Row, Table
from mmfuse.run.identity import decides, digest

SMOKE = (
    "trainer.max_epochs=1",
    "trainer.limit_train_batches=2",
    "trainer.limit_val_batches=2",
    "bootstrap=200",
)
FREE = (
    "output_dir",
    "threads",
    "loader",
    "cache",
    "dataset.root",
    "trainer.accelerator",
    "trainer.devices",
    "launcher",
)

Config = Mapping[str, Any]


class Planned(NamedTuple):
    row: Row
    overrides: tuple[str, ...]
    config: Config | None  # None where nothing can be run
    folder: str  # its name in the table's; empty where there is none
    lacks: tuple[str, str] | None  # NO DATA or NOT BUILT, and why

    @property
    def seeds(self) -> list[int]:
        return list(self.config["seeds"]) if self.config is not None else []


def chosen(table: Table, names: Sequence[str]) -> list[Row]:
    known = [row.name for row in table.rows]
    for name in names:
        if name not in known:
            raise ConfigError(f"{table.name} has no row '{name}'\n  {offer(name, known, 'rows')}")
    return [row for row in table.rows if not names or row.name in names]


def planned(
    table: Table,
    rows: Sequence[Row],
    seeds: int,
    typed: Sequence[str],
    smoke: bool,
    compose: Callable[[Sequence[str]], Config],
) -> list[Planned]:
    return [plan(table, row, seeds, typed, smoke, compose) for row in rows]


def plan(
    table: Table, row: Row, seeds: int, typed: Sequence[str], smoke: bool, compose: Callable[[Sequence[str]], Config]
) -> Planned:
    if row.not_built is not None:
        return Planned(row, (), None, "", ("NOT BUILT", row.not_built))
    asked = [f"dataset={table.dataset}", *row.overrides, *((*SMOKE, *row.smoke) if smoke else ())]
    own = [text for text in typed if is_free(key_of(text)) or key_of(text) in row.given]
    overrides = last([*asked, f"seeds={list(range(1 if smoke else seeds))}".replace(" ", ""), *own])
    config = composed(table, row, overrides, compose)
    why = lacks(table, row, own, config)
    if why is not None:
        return Planned(row, overrides, config, "", ("NO DATA", why))
    return Planned(row, overrides, config, f"{row.name}-{identity(config)}", None)


def lacks(table: Table, row: Row, typed: Sequence[str], config: Config) -> str | None:
    missing = absent(config)
    if missing is not None:
        return f"{missing} is not there; {table.get}"
    unsaid = [key for key in row.given if key not in map(key_of, typed)]
    if row.needs is None or (row.given and not unsaid):
        return None
    return row.needs + (f"; once they are here: {' '.join(f'{key}=FILE' for key in unsaid)}" if unsaid else "")


def runnable(
    table: Table, typed: Sequence[str], compose: Callable[[Sequence[str]], Config]
) -> tuple[list[Row], str | None]:
    """The rows that can be run here, and what data they lack if they do; only the data set is composed for that."""
    own = [text for text in typed if is_free(key_of(text))]
    config = compose(last([f"dataset={table.dataset}", *own]))
    if missing := absent(config):
        return [], f"{missing} is not there; {table.get}"
    built = [row for row in table.rows if row.not_built is None]
    rows = [row for row in built if lacks(table, row, typed, config) is None]
    return rows, None if rows else table.get


def last(overrides: Sequence[str]) -> tuple[str, ...]:
    """Of words on the same key, the last one. What was said of a part that is chosen anew goes with it.

    >>> last(["fusion=concat", "fusion.dropout=0", "optimizer.lr=1", "fusion=tmc"])
    ('optimizer.lr=1', 'fusion=tmc')
    """
    found: dict[str, str] = {}
    for text in overrides:
        name = key_of(text)
        found = {key: word for key, word in found.items() if key != name and not key.startswith(f"{name}.")}
        found[name] = text
    return tuple(found.values())


def composed(table: Table, row: Row, overrides: Sequence[str], compose: Callable[[Sequence[str]], Config]) -> Config:
    try:
        return compose(overrides)
    except ConfigError as error:
        first, *rest = str(error).split("\n")
        said = first.split("   (command line")[0]  # which argument it is there, it is not here
        raise ConfigError("\n".join([f"{table.name}, row '{row.name}': {said}", *rest[:4]])) from error


def key_of(override: str) -> str:
    """
    >>> key_of("+dataset.modalities.context={kind: text}")
    'dataset.modalities.context'
    """
    return override.partition("=")[0].lstrip("+~")


def identity(config: Config) -> str:
    """Of what decides a result, the data set's files included; more seeds of the same belong to the same run."""
    settings = {name: value for name, value in decides(config).items() if name not in ("seed", "seeds")}
    settings["dataset"] = {name: value for name, value in settings["dataset"].items() if name != "root"}
    root = config["dataset"].get("root")
    return digest(settings, __version__, None if root is None else of_files(Path(root)))


def absent(config: Config) -> str | None:
    """The folder or file of the data set that is not there; None where it is, or where it comes with mmfuse."""
    root = config["dataset"].get("root")
    if root is None:
        return None
    if not Path(root).is_dir():
        return f"the folder {root}"
    file = config["dataset"].get("file")
    if isinstance(file, str) and not (Path(root) / file).exists():
        return str(Path(root) / file)
    return None


def is_free(name: str, free: Sequence[str] = FREE) -> bool:
    """
    >>> is_free("trainer.devices"), is_free("loader.workers"), is_free("trainer.max_epochs")
    (True, True, False)
    """
    return any(name == key or name.startswith(f"{key}.") for key in free)


def refuse_unless_free(typed: Sequence[str], tables: Sequence[Table]) -> None:
    """A table says how its experiments are run: where and by what may be others, and where what it needs lies."""
    free = list(dict.fromkeys([*FREE, *(key for table in tables for key in table.given)]))
    for name in map(key_of, typed):
        if not is_free(name, free):
            raise ConfigError(
                f"{name}: a published table says how its experiments are run, and nothing is tuned here"
                f"\n  what may be given: {', '.join(free)}"
                "\n  experiments of your own: mmfuse train, mmfuse sweep"
            )
