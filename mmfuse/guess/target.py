"""What is to be told: the target that is asked for, or the likeliest one."""

from collections.abc import Mapping

import numpy as np

from mmfuse.errors import ConfigError, DataError, offer
from mmfuse.guess.guesses import Guess
from mmfuse.guess.look import Look
from mmfuse.guess.relations import tells
from mmfuse.guess.rest import counted, groups

NAMES = (
    *("label", "labels", "target", "class", "y", "answer", "sentiment", "emotion", "rating", "stars", "mood"),
    *("polarity", "stance", "intent", "category", "genre", "topic", "diagnosis", "outcome", "score", "grade", "digit"),
)
CLASSES = 10  # whole numbers up to so many values are classes even in a small table


def kind(look: Look) -> str:
    if look.form == "word" or (look.whole and (look.few or look.distinct <= min(CLASSES, look.filled / 2))):
        return "multiclass"
    return "regression"


def asked_for(name: str, looks: Mapping[str, Look]) -> Guess:
    if name not in looks:
        raise ConfigError(f"--target {name}: there is no such column\n  {offer(name, list(looks)[:30], 'columns')}")
    if fault := unfit(name, looks[name]):
        raise DataError(fault)
    return guess(name, looks[name], "asked for")


def guess(name: str, look: Look, why: str) -> Guess:
    about = f"{look.distinct} classes" if kind(look) == "multiclass" else f"numbers, {look.distinct} different"
    return Guess(name, "task", f"{why}; {about}", kind(look), {"column": name})


def unfit(name: str, look: Look) -> str | None:
    """Why a column cannot be a target; None where it can."""
    if look.form == "date":
        return (
            f"the target '{name}' is dates: '{look.values[0]}' (row {look.rows[0]})\n  a date is neither a class nor a"
            " number\n  to go on: --target COL, or a new column with the year, the weekday, or days since a day"
        )
    if look.form in ("list", "other", "empty"):
        return f"the target '{name}' has no classes and no numbers, but cells of another form\n  to go on: --target COL"
    if look.distinct < 2:
        return f"the target '{name}' is '{look.values[0]}' in every row: nothing to tell\n  to go on: --target COL"
    if look.form == "word" and look.distinct > look.filled / 2:
        return (
            f"the target '{name}' has {look.distinct} different values in {look.filled} rows: no classes"
            "\n  to go on: --target COL"
        )
    return None


def choose(looks: Mapping[str, Look]) -> list[Guess]:
    """Candidates, the likeliest first. Raises `DataError` where the one that is called so is made of dates."""
    lower = {name.lower(): name for name in reversed(list(looks))}
    called = [lower[n] for n in NAMES if n in lower]
    called += [name for n in NAMES for low, name in lower.items() if low.endswith(f"_{n}") and name not in called]
    fit = [name for name in called if unfit(name, looks[name]) is None]
    if called and not fit and looks[called[0]].form == "date":
        raise DataError(str(unfit(called[0], looks[called[0]])))
    if fit and looks[fit[0]].form == "number":  # of a number and its name, the name is told
        names = [name for name in fit if looks[name].form == "word" and same(looks[name], looks[fit[0]])]
        fit = names + [name for name in fit if name not in names]
    others = [n for n in reversed(list(looks)) if n not in called and not counted(n, looks[n])]
    few = sorted((n for n in others if looks[n].few and not looks[n].text), key=lambda n: groups(n, looks[n]))
    numbers = [n for n in others if n not in few and looks[n].form == "number" and looks[n].distinct > 1]
    return (
        [guess(n, looks[n], "called as targets are") for n in fit]
        + [guess(n, looks[n], "the last column of few values") for n in few]
        + [guess(n, looks[n], "the last column of numbers") for n in numbers]
    )


def same(a: Look, b: Look) -> bool:
    return tells(a, b) and tells(b, a)


def rare(look: Look, split: Look | None, needed: int) -> int:
    """How many classes have fewer training rows than that."""
    train = np.ones(look.n, bool)
    if split is not None:
        train[:] = False
        train[split.rows] = [value.lower() in ("train", "training") for value in split.values]
    counts = np.bincount(look.codes[train[look.rows]])
    return int(((counts > 0) & (counts < needed)).sum())
