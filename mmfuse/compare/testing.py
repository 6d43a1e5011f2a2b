"""Which rows can be tested against the reference, and what came of it; of the others, why not."""

from collections.abc import Mapping, Sequence

from mmfuse.compare import drawn
from mmfuse.compare.asked import UntestableError, about, answers, judge_of, samples_of, ungrouped
from mmfuse.compare.comparable import apart
from mmfuse.compare.drawn import Answered
from mmfuse.compare.folding import Row
from mmfuse.compare.table import Tested
from mmfuse.compare.tested import differences, family

Key = tuple[str, str, str]  # task, figure, row
NAMED = 4  # rows that a note names before it counts


def tests(
    rows: Sequence[Row], base: Row, asked: Mapping[str, Sequence[str]], samples: int | None
) -> tuple[dict[Key, Tested], list[str]]:
    """All of it is one family. Notes say which rows are left out of it, and why."""
    keys: list[tuple[str, str]] = []  # task and row of each table of `found`
    found = []
    why: dict[str, list[str]] = {}  # rows by reason
    for row in rows:
        if row is not base and (reason := apart(base, row)):
            why.setdefault(reason, []).append(row.label)
    near = [row for row in rows if row is not base and apart(base, row) is None]
    for task, metrics in asked.items():
        figures = [m for m in metrics if m in base.figures(task)]
        others: list[tuple[Row, Answered]] = []
        try:
            judge = judge_of(base, task, figures)
            ours = answers(base, task)
        except UntestableError as error:
            if near and figures:
                why.setdefault(f"the reference cannot be tested for {task}: {error}", []).append("all")
            continue
        once = drawn.whole(judge, ours)
        figures = [m for m in figures if m in once]
        for row in (row for row in near if row.figures(task)):
            try:
                others.append((row, alike(base, ours, row, task, figures)))
            except UntestableError as error:
                why.setdefault(str(error), []).append(row.label)
        if others and figures:
            keys += [(task, row.label) for row, _ in others]
            each_said = [each for _, each in others]
            found += differences(judge, figures, ours, each_said, samples_of(base, samples))
    tested = {
        (task, m, label): each
        for (task, label), table in zip(keys, family(found), strict=True)
        for m, each in table.items()
    }
    notes = [f"not tested against {base.label}: {said(labels)}: {reason}" for reason, labels in why.items()]
    if tested:
        notes += [said_once] if (said_once := ungrouped(base)) else []
        notes.append(f"p is of two-sided paired tests against {base.label}, Holm over {len(tested)}")
    return tested, notes


def alike(base: Row, ours: Answered, row: Row, task: str, figures: Sequence[str]) -> Answered:
    """What a row said, if it was asked what the reference was asked."""
    there = row.figures(task)
    if absent := [m for m in figures if m not in there]:
        raise UntestableError(f"no {', '.join(absent)} among its figures")
    told, theirs = about(base, task), about(row, task)
    if (told["kind"], told.get("classes")) != (theirs["kind"], theirs.get("classes")):
        raise UntestableError(f"its task '{task}' is of other classes or another kind")
    found = answers(row, task)
    if not drawn.same_questions(ours, found):
        raise UntestableError("its tested rows or their labels are others")
    return found


def said(labels: Sequence[str]) -> str:
    """
    >>> said(["a", "b", "c", "d", "e"])
    'a, b, c, d and 1 more'
    """
    more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
    return ", ".join(labels[:NAMED]) + more
