"""The runs that a table asks for, each composed and with its own folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmfuse import __version__
from mmfuse.errors import ConfigError, offer
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
    asked = [f"dataset={table.dataset}", *row.overrides, *(SMOKE if smoke else ())]
    overrides = last([*asked, f"seeds={list(range(1 if smoke else seeds))}".replace(" ", ""), *typed])
    config = composed(table, row, overrides, compose)
    missing = absent(config)
    why = row.needs if missing is None else f"{missing} is not there; {table.get}"
    return Planned(row, overrides, config, f"{row.name}-{key(config)}", None if why is None else ("NO DATA", why))


def runnable(
    table: Table, typed: Sequence[str], compose: Callable[[Sequence[str]], Config]
) -> tuple[list[Row], str | None]:
    """The rows that can be run here, and what data they lack if they do; only the data set is composed for that."""
    missing = absent(compose(last([f"dataset={table.dataset}", *typed])))
    if missing is not None:
        return [], f"{missing} is not there; {table.get}"
    rows = [row for row in table.rows if row.needs is None and row.not_built is None]
    return rows, None if rows else table.get


def last(overrides: Sequence[str]) -> tuple[str, ...]:
    """Of words on the same key, the last one. What was said of a part that is chosen anew goes with it.

    >>> last(["fusion=concat", "fusion.dropout=0", "optimizer.lr=1", "fusion=tmc"])
    ('optimizer.lr=1', 'fusion=tmc')
    """
    found: dict[str, str] = {}
    for text in overrides:
        name = text.partition("=")[0].lstrip("+~")
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


def key(config: Config) -> str:
    """Of what decides a result; more seeds of the same belong to the same run."""
    return digest({k: v for k, v in decides(config).items() if k not in ("seed", "seeds")}, __version__)


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


def refuse_unless_free(typed: Sequence[str], table: str) -> None:
    """A table says how its experiments are run: only where and by what may be others."""
    for text in typed:
        name = text.partition("=")[0].lstrip("+~")
        if not any(name == free or name.startswith(f"{free}.") for free in FREE):
            raise ConfigError(
                f"{name}: {table} says how its experiments are run, and nothing is tuned here"
                f"\n  what may be given: {', '.join(FREE)}"
                "\n  experiments of your own: mmfuse train, mmfuse sweep"
            )
