"""Which settings tell rows apart: these become columns, and no others.

Where a part is chosen by name (fusion, an encoder, the data set), the choice is the column. Of the chosen part's own
keys only those are shown that the choice does not explain: `fusion=gated` beside `fusion=concat` brings no column for
each key that one has and the other lacks.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mmfuse.compare.folding import Row

ABSENT = "–"
HELD_BY = {"encoder.": "modalities", "dataset.modalities.": "modalities", "dataset.tasks.": "tasks"}
Columns = dict[str, list[str]]  # by name: a value for each row


def differing(rows: Sequence[Row]) -> Columns:
    """Short names, in the configs' own order, choices first."""
    governors = {name: values for name, values in governing(rows).items() if len(set(values)) > 1}
    keys = list(dict.fromkeys(key for row in rows for key in row.settings))
    chosen: dict[str, list[Any]] = dict(governors)
    for key in keys:
        values = [row.settings.get(key, ABSENT) for row in rows]
        if key not in governors and len(set(map(repr, values))) > 1 and not explained(key, values, governors):
            chosen[key] = values
    names = {key: key if key in governors else tail(key, keys) for key in chosen}
    return {names[key]: [shown(value) for value in values] for key, values in chosen.items()}


def governing(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """What is chosen by name, and so decides which other keys there are."""
    choices = [row.first.cfg.get("choices") or {} for row in rows]
    found: dict[str, list[Any]] = {}
    for group in dict.fromkeys(name for each in choices for name in each):
        found[group] = [each.get(group, ABSENT) for each in choices]
    for name in ("modalities", "tasks"):
        found[name] = [row.settings.get(name, ABSENT) for row in rows]
    encoders = [row.first.cfg.get("encoder") or {} for row in rows]
    for m in dict.fromkeys(m for each in encoders for m in each):
        names = [each[m].get("name", ABSENT) if m in each else None for each in encoders]
        known = {name for name in names if name is not None}
        if len(known) > 1:  # that an encoder is not there is told by the modalities
            found[f"encoder.{m}"] = [ABSENT if name is None else name for name in names]
    found["objectives"] = [tuple(row.first.cfg.get("objectives") or ()) or "none" for row in rows]
    return found


def explained(key: str, values: Sequence[Any], governors: Mapping[str, Sequence[Any]]) -> bool:
    """Whether the choice that a key belongs to tells its value, or a choice tells that it is not there."""
    holders = [g for g in governors if key.startswith(f"{g}.")]
    holders += [g for start, g in HELD_BY.items() if key.startswith(start) and g in governors]
    if holders and follows(values, [governors[g] for g in holders]):
        return True
    there = [value == ABSENT for value in values]
    others = {repr(value) for value, absent in zip(values, there, strict=True) if not absent}
    return any(there) and len(others) == 1 and follows(there, list(governors.values()))


def follows(values: Sequence[Any], others: Sequence[Sequence[Any]]) -> bool:
    """Whether rows that agree in all the others agree in this.

    >>> follows([1, 1, 2], [["a", "a", "b"]]), follows([1, 2, 2], [["a", "a", "b"]])
    (True, False)
    """
    if not others:
        return len(set(values)) <= 1
    told: dict[Any, Any] = {}
    for known, value in zip(zip(*others, strict=True), values, strict=True):
        if told.setdefault(known, value) != value:
            return False
    return True


def tail(key: str, keys: Sequence[str]) -> str:
    """The shortest end of a dotted name that no other name has.

    >>> keys = ["optimizer.lr", "fusion.dim", "encoder.text.dim"]
    >>> [tail(key, keys) for key in keys]
    ['lr', 'fusion.dim', 'text.dim']
    """
    parts = key.split(".")
    for count in range(1, len(parts)):
        end = ".".join(parts[-count:])
        if sum(other == end or other.endswith(f".{end}") for other in keys) == 1:
            return end
    return key


def shown(value: Any) -> str:
    """
    >>> [shown(value) for value in (None, True, 0.002, ("text", "image"))]
    ['null', 'true', '0.002', 'text,image']
    """
    if isinstance(value, tuple):
        return ",".join(shown(part) for part in value) or "none"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
