"""`mmfuse init`: guesses what a table's columns are for, writes a data set's config, and says what to type next."""

import re
import shlex
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from mmfuse.errors import ConfigError
from mmfuse.guess.arrays import beside
from mmfuse.guess.guess import guess
from mmfuse.guess.rows import find, read
from mmfuse.guess.written import as_lines, as_yaml

# What many tables are called; their folder's name says more.
GENERAL = ("samples", "data", "dataset", "train", "all", "rows", "table", "utterances", "index", "metadata", "labels")


class Written(NamedTuple):
    file: Path
    said: str  # what was guessed of each column
    command: str  # what to type next


def init(
    place: Path,
    target: str | None,
    name: str | None,
    output: Path | None,
    force: bool,
    packaged: Collection[str],
    encoding: str = "utf-8",
) -> Written:
    """`packaged` are the names of data sets that come with mmfuse: of two of one name, neither can be meant."""
    table = find(place.expanduser())
    name, output = where(table, name, output, packaged)
    if output.exists() and not force:
        raise ConfigError(f"{output} is there already\n  to go on: --force to write over it, or --name NAME")
    rows = read(table, encoding)
    guesses = guess(rows, beside(table), target)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(as_yaml(guesses, table, len(rows), encoding), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written: {error.strerror}\n  to go on: -o FILE") from error
    return Written(output, as_lines(guesses, table, len(rows)), command(output, name))


def where(table: Path, name: str | None, output: Path | None, packaged: Collection[str]) -> tuple[str, Path]:
    """The data set's name, and the file to write."""
    asked = name or (output.stem if output else None)
    if asked is not None and (not re.fullmatch(r"[A-Za-z_]\w*", asked, re.ASCII) or asked in packaged):
        fault = "comes with mmfuse" if asked in packaged else "is no name; letters, digits and _ make one"
        raise ConfigError(f"'{asked}' {fault}\n  to go on: --name NAME")
    if output is not None and (output.suffix != ".yaml" or (name and name != output.stem)):
        raise ConfigError(f"-o {output}: the file of a data set is called {name or 'NAME'}.yaml")
    name = asked or likely_name(table, packaged)
    return name, output or Path("conf", "dataset", f"{name}.yaml")


def likely_name(table: Path, packaged: Collection[str]) -> str:
    stem = table.stem if table.stem.lower() not in GENERAL else table.resolve().parent.name
    name = re.sub(r"\W+", "_", stem, flags=re.ASCII).strip("_").lower()
    name = name if name.isidentifier() else f"set_{name}".rstrip("_")
    return f"my_{name}" if name in packaged else name


def command(output: Path, name: str) -> str:
    if output.parent.name != "dataset":
        return f"mmfuse train --config-dir DIR dataset={name}, once the file is DIR/dataset/{name}.yaml"
    return f"mmfuse train --config-dir {shlex.quote(str(output.parent.parent))} dataset={name}"
