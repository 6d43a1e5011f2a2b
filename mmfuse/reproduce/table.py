"""A published table as a file of configs/baseline: its experiments, figures and where they are from."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from mmfuse.config.catalog import Catalog
from mmfuse.errors import ConfigError, offer
from mmfuse.reproduce.figures import FIGURES, figure

MARKS = {"read": "read in the source named", "recalled": "recalled from the paper, and still to be confirmed in it"}
SIDES = ("train", "val", "test")


class Row(NamedTuple):
    """One method: an experiment, and the figures that were published of it."""

    name: str
    overrides: Sequence[str]  # what one would type, after those of the table
    smoke: Sequence[str]  # what a smoke types besides: some schedules take more than one epoch
    task: str
    published: Mapping[str, float]  # by figure; shares in percent
    reference: Sequence[str]  # figures of which none was published: ours are what others are compared with
    source: str
    mark: str
    tolerance: Mapping[str, float]  # by figure: half the band's least width
    ours: Sequence[str]  # settings that the paper does not state
    known: Sequence[str]  # why it may come out otherwise, and how that was found
    needs: str | None  # what does not come with the data, and where it is to be had
    given: Sequence[str]  # keys that say where it lies, once one has it; none where none would help
    not_built: str | None  # why mmfuse cannot run it

    @property
    def figures(self) -> list[str]:
        return [*self.published, *self.reference]


class Table(NamedTuple):
    name: str
    title: str
    paper: str
    dataset: str
    get: str  # where the data are to be had
    counted: Mapping[str, int]  # by split: the paper's rows, where it states them
    floors: Mapping[str, Mapping[str, float]]  # by figure and by what guesses so
    parts: Mapping[str, Mapping[str, str]]  # of the tested rows, by name: file, id, column and value, as in parts.py
    seeds: int
    ours: Sequence[str]
    rows: Sequence[Row]

    @property
    def given(self) -> list[str]:
        """Keys that say where that lies which does not come with the data."""
        return list(dict.fromkeys(key for row in self.rows for key in row.given))

    def floor(self, name: str) -> float | None:
        """What the best guess reaches without looking."""
        known = self.floors.get(name, {}).values()
        return None if not known else min(known) if figure(name).less else max(known)


TABLE = {"title": str, "paper": str, "dataset": str, "get": str, "seeds": int, "rows": list}
TABLE_MAY = {"counted": dict, "parts": dict, "floors": dict, "ours": list}
PART = {"file": str, "id": str, "column": str, "value": str}
ROW = {"name": str}
ROW_MAY = {
    "overrides": list,
    "smoke": list,
    "task": str,
    "published": dict,
    "reference": list,
    "source": str,
    "mark": str,
    "tolerance": dict,
    "ours": list,
    "known": list,
    "needs": str,
    "given": list,
    "not_built": str,
}
SHARED = ("overrides", "task", "source", "mark", "needs", "given")  # a table may say them of all its rows


def named(name: str, catalog: Catalog) -> Table:
    if f"baseline/{name}" not in catalog.files:
        known = offer(name, catalog.options("baseline"), "there are")
        raise ConfigError(f"there is no published table called '{name}'\n  {known}\n  see: mmfuse reproduce --list")
    return read(catalog.find("baseline", name))


def read(file: Path) -> Table:
    try:
        about = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{file} cannot be read: {str(error).splitlines()[0]}") from error
    where = str(file)
    check(about, where, TABLE, TABLE_MAY | {key: ROW_MAY[key] for key in SHARED})
    floors = about.get("floors", {})
    parts = about.get("parts", {})
    for name, part in parts.items():
        check(part, f"{where}: parts.{name}", PART, {})
    figures_of(floors, parts, f"{where}: floors")
    for name, known in floors.items():
        numbers_of(known, name, f"{where}: floors.{name}")
    if strange := set(about.get("counted", {})) - set(SIDES):
        raise ConfigError(f"{where}: counted: '{strange.pop()}' is not one of {', '.join(SIDES)}")
    shared = {key: about[key] for key in SHARED if key in about}
    rows = [row(each, shared, parts, f"{where}: rows[{number}]") for number, each in enumerate(about["rows"])]
    names = [each.name for each in rows]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"{where}: two rows are called '{twice[0]}'\n  to go on: give one another name")
    if about["seeds"] < 1 or not rows:
        raise ConfigError(f"{where}: at least one seed and one row are needed")
    words = {key: about[key] for key in ("title", "paper", "dataset", "get", "seeds")}
    return Table(
        file.stem,
        counted=about.get("counted", {}),
        floors=floors,
        parts=parts,
        ours=about.get("ours", []),
        rows=rows,
        **words,
    )


def row(about: Any, shared: Mapping[str, Any], parts: Collection[str], where: str) -> Row:
    check(about, where, ROW, ROW_MAY)
    where = f"{where} ({about['name']})"
    published, reference = about.get("published", {}), about.get("reference", [])
    if not published and not reference:
        raise ConfigError(
            f"{where}: a figure is missing\n  such as published: {{accuracy: 78.1}}, shares in percent"
            "\n  or, where none was published, reference: [accuracy]"
        )
    figures_of([*published, *reference, *about.get("tolerance", {})], parts, where)
    for name, value in published.items():
        numbers_of({name: value}, name, where)
    numbers_of(about.get("tolerance", {}), None, f"{where}: tolerance")
    said = {"overrides": [], "task": "", "source": "", "mark": "", "needs": None, "given": [], **shared, **about}
    said["overrides"] = [*shared.get("overrides", []), *about.get("overrides", [])]
    if published and not said["source"]:
        raise ConfigError(f"{where}: no source is named\n  such as source: Table 2")
    if published and said["mark"] not in MARKS:
        raise ConfigError(f"{where}: mark is one of {', '.join(MARKS)}, and not '{said['mark']}'")
    if not said["task"]:
        raise ConfigError(f"{where}: which task is it about?\n  such as task: sentiment")
    return Row(
        said["name"],
        [str(each) for each in said["overrides"]],
        [str(each) for each in about.get("smoke", [])],
        said["task"],
        {name: float(value) for name, value in published.items()},
        reference,
        said["source"],
        said["mark"],
        about.get("tolerance", {}),
        about.get("ours", []),
        about.get("known", []),
        said["needs"],
        said["given"],
        about.get("not_built"),
    )


def check(about: Any, where: str, must: Mapping[str, type], may: Mapping[str, type]) -> None:
    """Refuses keys that are unknown, missing, or of another kind."""
    if not isinstance(about, dict):
        raise ConfigError(f"{where}: keys and values are wanted, not {type(about).__name__}")
    known = {**must, **may}
    for key, value in about.items():
        if key not in known:
            raise ConfigError(f"{where}: unknown key '{key}'\n  {offer(str(key), known, 'keys')}")
        if not isinstance(value, known[key]) or isinstance(value, bool):
            raise ConfigError(f"{where}: {key} is to be of type {known[key].__name__}, and is {value!r}")
    if missing := [key for key in must if key not in about]:
        raise ConfigError(f"{where}: '{missing[0]}' is missing")


def figures_of(names: Collection[str], parts: Collection[str], where: str) -> None:
    """Of a part of the rows there is the accuracy only."""
    known = [*FIGURES, *(f"accuracy@{part}" for part in parts)]
    for name in names:
        if name not in known:
            raise ConfigError(f"{where}: there is no figure '{name}'\n  {offer(str(name), known, 'figures')}")


def numbers_of(values: Any, of: str | None, where: str) -> None:
    """Shares between 1 and 100: one of 0.78 is a percentage forgotten."""
    for name, value in values.items() if isinstance(values, dict) else [("it", values)]:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"{where}: {name} is to be a number, and is {value!r}")
        if of is not None and figure(of).share and not (value == 0 or 1 < value <= 100):
            raise ConfigError(f"{where}: {name}={value}: shares are written in percent, such as 78.1")
