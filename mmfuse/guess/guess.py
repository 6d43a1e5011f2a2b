"""From a table to what its columns are for."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from mmfuse.errors import DataError
from mmfuse.guess import target as targets
from mmfuse.guess.arrays import Array
from mmfuse.guess.files import indexed, media
from mmfuse.guess.guesses import TAKEN, Guess, free, identifier
from mmfuse.guess.look import Look, look
from mmfuse.guess.rest import features, rest
from mmfuse.guess.rows import Rows
from mmfuse.guess.split import parts, split


class Guesses(NamedTuple):
    each: list[Guess]  # the target first, then columns and arrays as they stand
    modalities: dict[str, dict[str, Any]]  # by name: what dataset.modalities has
    tasks: dict[str, dict[str, Any]]
    apart: str | None  # the column whose groups have to stay together, or no validation rows can be had

    def first(self, role: str) -> str | None:
        return next((g.source for g in self.each if g.role == role), None)


def guess(rows: Rows, arrays: Sequence[Array], wanted: str | None = None) -> Guesses:
    """`arrays` are those beside the table; `wanted` is the target, where it is known."""
    looks = {name: look(cells) for name, cells in rows.columns.items()}
    asked = targets.asked_for(wanted, looks) if wanted is not None else None
    left = {name: seen for name, seen in looks.items() if name != wanted}
    found = split(left)
    left = without(left, found)
    found += indexed(left, rows.file.parent)
    left = without(left, found)
    found += [g for name, seen in left.items() if (g := media(name, seen, rows.file.parent))]
    left = without(left, found)
    held = {g.source: looks[g.source] for g in found}
    part = next((looks[g.source] for g in found if g.role == "split"), None)
    told = asked or likeliest(left, part, any(g.groups for g in found), rows.file.name)
    found += rest({n: s for n, s in left.items() if n != told.source}, told.source, looks[told.source])
    found += aligned(arrays, len(rows), held)
    order = [*looks, *(g.source for g in found)]
    each = [told, *sorted(features(found), key=lambda g: order.index(g.source))]
    apart = next((g.source for g in each if g.groups), None) if needs_groups(looks[told.source], told, part) else None
    tasks = named([g for g in each if g.role == "task"], ())
    modalities = named([g for g in each if g.role == "modality"], [*tasks, *TAKEN])
    if columns := [g.source for g in each if g.role == "tabular"]:
        name = free("tabular", "features", [*modalities, *tasks])
        modalities[name] = {"kind": "tabular", "columns": columns}
    if not modalities:
        raise DataError(
            f"{rows.file.name}: nothing to learn '{told.source}' from is found in its {len(looks)} columns\n"
            + "".join(f"  {g.source}: {g.why}\n" for g in each[1:4])
            + "  to go on: the files that cells name beside the table; mmfuse show dataset/table says what is read"
        )
    return Guesses(each, modalities, tasks, apart)


def without(looks: dict[str, Look], found: Sequence[Guess]) -> dict[str, Look]:
    return {name: seen for name, seen in looks.items() if name not in {g.source for g in found}}


def likeliest(looks: dict[str, Look], part: Look | None, grouped: bool, file: str) -> Guess:
    """The first candidate whose rows can be divided; else the first."""
    candidates = targets.choose(looks)
    if not candidates:
        raise DataError(
            f"{file}: no column looks like a target, with few values or numbers\n  to go on: --target COL"
            f"\n  columns: {', '.join(list(looks)[:20])}"
        )
    return next((c for c in candidates if grouped or not needs_groups(looks[c.source], c, part)), candidates[0])


def needs_groups(seen: Look, told: Guess, part: Look | None) -> bool:
    """Whether some class has too few training rows for rows to be dealt out evenly by class."""
    if told.kind != "multiclass" or (part is not None and "val" in (parts(part) or {})):
        return False
    return targets.rare(seen, part, needed=2 if part is not None else 3) > 0


def aligned(arrays: Sequence[Array], n: int, held: dict[str, Look]) -> list[Guess]:
    """The arrays with a row for each of the table's. Files that cells name are none of these."""
    cells = {str(value) for seen in held.values() for value in seen.values}
    guesses = []
    for array in arrays:
        source = f"{array.file.name}:{array.key}".rstrip(":")
        if array.file.name in cells:
            continue
        about = {"file": array.file.name} | ({"key": array.key} if array.key else {})
        if array.shape[:1] != (n,):
            guesses.append(Guess(source, "left out", f"{array.shown}, but the table has {n} rows"))
        elif array.kind is None:
            guesses.append(Guess(source, "left out", f"{array.shown}: neither a vector nor a sequence a row"))
        else:
            guesses.append(
                Guess(source, "modality", f"{array.shown}, a row for each of the table's", array.kind, about)
            )
    return guesses


def named(guesses: Sequence[Guess], taken: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the config has for each, by names that are identifiers and differ."""
    entries: dict[str, dict[str, Any]] = {}
    for g in guesses:
        long = g.about.get("key") or g.about.get("column") or g.source.rpartition(".")[0]
        name = free(identifier(long, g.kind), g.kind, [*entries, *taken])
        entries[name] = {"kind": g.kind} | {k: v for k, v in g.about.items() if k != "column" or v != name}
    return entries
