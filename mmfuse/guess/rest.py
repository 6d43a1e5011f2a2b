"""What columns are that are neither files nor split nor target: names of rows, groups, texts, features, more tasks."""

import re
from collections.abc import Mapping

import numpy as np

from mmfuse.guess.guesses import Guess
from mmfuse.guess.look import Look, dimensions
from mmfuse.guess.relations import proportional, tells

COUNTS = re.compile(
    r"(n|num|no|nr)_\w+|\w+_(count|index|idx|no|nr|num|len|length)|"
    r"count|index|idx|no|row|segment|length|len|unnamed: ?\d*",
    re.IGNORECASE,
)
GROUP = re.compile(
    r"(\w+_)?(speaker|subject|patient|user|author|video|session|group|person|participant|clip|dialogue|dialog|"
    r"conversation|customer|writer|actor|site|movie|document)(_?id)?|\w+_id",
    re.IGNORECASE,
)
NEARLY_ALL = 0.95
COUNTED = 0.8  # of the steps from row to row are by one


def counted(name: str, look: Look) -> str | None:
    """Why a column of numbers says where a row stands or how long it is, and nothing of what it is."""
    if look.form != "number":
        return None
    steps = np.diff(look.values)
    if look.unique and look.whole and (steps == 1).all():
        return "row numbers"
    if look.whole and len(steps) >= 5 and (steps == 1).mean() >= COUNTED:
        return "counts on from row to row"
    if look.whole and look.filled >= 10 and look.distinct >= NEARLY_ALL * look.filled:
        return "nearly every row has a whole number of its own"
    return "a count or a position, by its name" if COUNTS.fullmatch(name) else None


def identity(looks: Mapping[str, Look]) -> Guess | None:
    """The column that names rows."""

    def likeness(name: str) -> int:
        low = name.lower()
        return 3 * (low == "id") + 2 * low.endswith(("_id", "uid", "uuid", "key")) + (looks[name].form == "word")

    able = [n for n, look in looks.items() if look.unique and (look.whole or look.form == "word") and not look.text]
    able = [n for n in able if likeness(n)]
    best = max(able, key=likeness, default=None)
    return Guess(best, "id", "every row has its own") if best is not None else None


def groups(name: str, look: Look) -> bool:
    """Whether rows of one value may be more alike than others: those of one speaker, of one video."""
    return bool(GROUP.fullmatch(name)) and 3 <= look.distinct <= look.filled / 2


def given_away(look: Look, target: str, answer: Look) -> str | None:
    """Why a column must not be learned from: it is the target, or half of it."""
    forth, back = tells(look, answer), tells(answer, look)
    if (forth and back) or proportional(look, answer):
        return f"one-to-one with the target '{target}'"
    if forth:
        return f"gives the target '{target}' away"
    return f"a coarser form of the target '{target}'" if back else None


def rest(looks: Mapping[str, Look], target: str, answer: Look) -> list[Guess]:
    """`looks` are the columns that have no role yet. Words of few values are tasks for now: `features` may differ."""
    guesses, name_column = [], identity(looks)
    for name, look in looks.items():
        role = name_column if name_column and name == name_column.source else one(name, look, target, answer)
        guesses.append(role._replace(groups=groups(name, look)))
    return guesses


def one(name: str, look: Look, target: str, answer: Look) -> Guess:
    if look.form in ("empty", "date", "other"):
        forms = {"empty": "every cell is empty", "date": "dates", "other": "cells that are neither text nor numbers"}
        return Guess(name, "left out", forms[look.form])
    if look.form == "list":
        return of_lists(name, look)
    if look.distinct < 2:
        return Guess(name, "left out", "the same in every row")
    if look.text:
        words = np.mean([len(value.split()) for value in look.sample])
        of = f" of {len(look.sample)} looked at" * (len(look.sample) < look.filled)
        return Guess(name, "modality", f"written text, {words:.1f} words a row{of}", "text", {"column": name})
    if why := counted(name, look) or given_away(look, target, answer):
        return Guess(name, "left out", why)
    if groups(name, look) and (not look.few or name.lower().endswith("id")):
        return Guess(name, "group", f"{look.distinct} groups of rows")
    if look.form == "number":
        return Guess(name, "tabular", f"numbers, {look.distinct} different")
    if look.few:
        return Guess(name, "task", f"{look.distinct} names", "multiclass", {"column": name})
    many = "every row has its own" if look.unique else f"{look.distinct} names, too many for classes"
    return Guess(name, "left out", many)


def of_lists(name: str, look: Look) -> Guess:
    kind = {1: "vector", 2: "sequence"}.get(dimensions(look.sample) or 0)
    if kind is None:
        return Guess(name, "left out", "lists, but not of numbers, or not all of one width")
    return Guess(name, "modality", "lists of numbers", kind, {"column": name})


def features(guesses: list[Guess]) -> list[Guess]:
    """Words of few values are features beside numbers, or where there is nothing else; otherwise further tasks."""
    numbers = any(g.role == "tabular" for g in guesses)
    if not numbers and any(g.role == "modality" for g in guesses):
        return [g._replace(why=f"{g.why}: a further task") if g.role == "task" else g for g in guesses]
    return [
        Guess(g.source, "tabular", g.why, groups=g.groups) if g.role == "task" and not g.groups else g for g in guesses
    ]
