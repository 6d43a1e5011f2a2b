"""The test rows that a run is furthest from right about: by their loss, averaged over its models."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mmfuse.explanation.shown import Shown, shown
from mmfuse.metrics.summary import Answers
from mmfuse.run.prepare import Prepared
from mmfuse.tasks.labels import has_label
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.multilabel import Multilabel
from mmfuse.tasks.regression import Regression
from mmfuse.types import Examples, Task

NUMBER = 12  # rows a task
BYTES = 600_000  # that all sounds together may take
LEAST = 1e-12  # what a probability of 0 counts as


class Row(NamedTuple):
    row: int
    loss: float
    answer: Any  # (K,) in the mean over models, a number of a regression
    target: Any  # (C,) or a number


Rows = Mapping[str, Sequence["Row"]]  # by task


def chosen(tasks: Mapping[str, Task], said: Sequence[Answers], left_out: dict[str, str]) -> dict[str, list["Row"]]:
    """By task; `left_out` gets why a task has none."""
    left_out |= {f"worst.{t}": why for t, task in tasks.items() if (why := refused(task))}
    return {t: worst(task, t, said, NUMBER) for t, task in tasks.items() if not refused(task)}


def table(
    tasks: Mapping[str, Task],
    rows: Rows,
    ids: Sequence[str] | Mapping[int, str],
    shows: Callable[[int], Mapping[str, Any]] | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """As it is recorded; `shows` tells what a row looks like, None where nobody knows any more."""
    return {
        t: [told(tasks[t], one, ids) | ({} if shows is None else {"shows": shows(one.row)}) for one in some]
        for t, some in rows.items()
    }


def looks(examples: Examples, prepared: Prepared, kinds: Mapping[str, str], rows: Rows) -> Callable[[int], Any]:
    """What a row's modalities look like; one that was hidden from the model is missing, too."""
    sounds = sum(map(len, rows.values())) * max(1, list(kinds.values()).count("audio"))

    def shows(row: int) -> dict[str, Shown]:
        here = {m: bool(present[row]) for m, present in prepared.present.items()}
        return {
            m: shown(raw[row] if here[m] else None, kinds[m], BYTES // max(1, sounds))
            for m, raw in examples.raw.items()
        }

    return shows


def worst(task: Task, name: str, said: Sequence[Answers], number: int) -> list[Row]:
    """So many rows that have a label, the worst first; of models of other folds, each row by those that tested it."""
    losses: dict[int, list[float]] = {}
    answers: dict[int, list[np.ndarray | np.floating]] = {}
    targets: dict[int, Any] = {}
    for one in said:
        answer, target = one.answers[name], one.targets[name]
        for unit in np.flatnonzero(has_label(target)).tolist():
            row = int(one.rows[name][unit])
            losses.setdefault(row, []).append(loss(task, answer[unit], target[unit]))
            answers.setdefault(row, []).append(answer[unit])
            targets[row] = target[unit]
    mean = {row: float(np.mean(each)) for row, each in losses.items()}
    order = sorted(mean, key=lambda row: (-mean[row], row))[:number]
    return [Row(row, mean[row], np.mean(answers[row], axis=0), targets[row]) for row in order]


def loss(task: Task, answer: Any, target: Any) -> float:
    """-log p of the true class, the mean of that over labels, or the absolute error: natural logarithms."""
    if isinstance(task, Regression):
        return float(abs(answer - target))
    if isinstance(task, Multilabel):
        right = np.where(target > 0.5, answer, 1 - answer)
        return float(-np.log(np.maximum(right, LEAST)).mean())
    return float(-np.log(max(float(answer[int(target)]), LEAST)))


def refused(task: Task) -> str | None:
    """Why a task has no such rows."""
    if task.between:
        return "which of two values belong together is asked of pairs: a row by itself is neither right nor wrong"
    if task.of is not None:
        return "it labels steps: a row is right in some and wrong in others; predictions.parquet has each of them"
    return None if isinstance(task, Multiclass | Multilabel | Regression) else "it is of a kind of its own"


def told(task: Task, row: Row, ids: Sequence[str] | Mapping[int, str]) -> dict[str, Any]:
    """What is recorded of one; p is what the predicted class was given, in the mean."""
    found: dict[str, Any] = {"row": ids[row.row], "loss": row.loss}
    if isinstance(task, Regression):
        return found | {"target": f"{row.target:g}", "predicted": f"{row.answer:g}", "p": None}
    assert isinstance(task, Multiclass | Multilabel)
    if isinstance(task, Multilabel):
        named = [
            ", ".join(c for c, p in zip(task.classes, each, strict=True) if p > 0.5)
            for each in (row.target, row.answer)
        ]
        return found | {"target": named[0], "predicted": named[1], "p": None}
    best = int(row.answer.argmax())
    return found | {
        "target": task.classes[int(row.target)],
        "predicted": task.classes[best],
        "p": float(row.answer[best]),
    }
