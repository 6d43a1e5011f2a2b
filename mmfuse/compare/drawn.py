"""Every row's figures on the same draws of the same test units: what intervals and paired tests are made of."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mmfuse.compare.folding import Part
from mmfuse.compare.judges import Judge
from mmfuse.metrics.bootstrap import draw
from mmfuse.metrics.paired import Scored

Answered = Sequence[tuple[int | None, Scored]]  # of one row: each model's fold, and what it said
Figures = Mapping[str, np.ndarray]  # (R,) each


def answered(parts: Sequence[Part], task: str) -> Answered:
    """What a row's models said of their test units, which are drawn by their groups where they have any."""
    return [(part.fold, scored(part, task)) for part in parts]


def scored(part: Part, task: str) -> Scored:
    with np.load(part.folder / "answers.npz", allow_pickle=False) as arrays:
        rows, answer, target = (arrays[f"test|{task}|{name}"] for name in ("rows", "answers", "targets"))
        groups = f"test|{task}|groups"
        return Scored(arrays[groups] if groups in arrays.files else rows, answer, target)


def grouped(part: Part) -> bool:
    with np.load(part.folder / "answers.npz", allow_pickle=False) as arrays:
        return any(name.endswith("|groups") for name in arrays.files)


def by_fold(said: Answered) -> dict[int | None, Scored]:
    """The units of each fold, as its first model has them."""
    return dict(reversed(said))


def same_questions(a: Answered, b: Answered) -> bool:
    """Whether all models of both were asked about the same units, with the same right answers."""
    first = by_fold(a)
    return {fold for fold, _ in b} == set(first) and all(equal(first[fold], each) for fold, each in (*a, *b))


def equal(a: Scored, b: Scored) -> bool:
    numbers = a.target.dtype.kind == "f" and b.target.dtype.kind == "f"
    return np.array_equal(a.units, b.units) and np.array_equal(a.target, b.target, equal_nan=numbers)


def draws(said: Answered, samples: int) -> Iterator[dict[int | None, np.ndarray]]:
    """By fold: how often each unit is drawn, (R, U); a few samples at a time."""
    units = by_fold(said)
    for counts in draw([each.units for each in units.values()], samples):
        yield dict(zip(units, counts, strict=True))


def means(judge: Judge, said: Answered, counts: Mapping[int | None, np.ndarray]) -> Figures:
    """The mean over a row's models of each figure, on every draw."""
    each: list[dict[str, Any]] = [judge.resampled(s.answer, s.target, counts[fold]) for fold, s in said]
    return {name: np.mean([figures[name] for figures in each], axis=0) for name in each[0]}


def whole(judge: Judge, said: Answered) -> Mapping[str, float]:
    """The same with every unit once."""
    once = {fold: np.ones((1, len(each.units))) for fold, each in by_fold(said).items()}
    return {name: float(value[0]) for name, value in means(judge, said, once).items()}
