"""From rows to a comparison: which figures, which columns, which tests, and what has to be said under the table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mmfuse.compare.comparable import apart, letters
from mmfuse.compare.differing import differing
from mmfuse.compare.figures import figures_of
from mmfuse.compare.folding import Row, fold
from mmfuse.compare.ordering import ordered
from mmfuse.compare.reading import LeftOut, Run, read
from mmfuse.compare.reference import referred
from mmfuse.compare.table import Comparison, Line, Table, Tested
from mmfuse.errors import ConfigError, offer

USUAL = (("accuracy", "f1_macro"), ("f1_micro", "f1_macro"), ("mae", "pearson"), ("r@1", "mrr"))
NAMED = 3  # runs that a note names before it counts


def comparison(
    places: Sequence[Path],
    reference: str | None = None,
    metrics: Sequence[str] | None = None,
    task: str | None = None,
    sort: str | None = None,
    reverse: bool = False,
    samples: int | None = None,
) -> Comparison:
    """Of finished runs' folders, or folders that hold some.

    `metrics` are names of figures, by default each task's two main ones. `samples` are resamples of the test rows, by
    default as many as the runs' configs ask for.
    """
    runs, left = read(places)
    rows, notes = fold(runs)
    notes = [*said_of_left(left), *notes, *versions(runs)]
    base = None if reference is None else referred(rows, reference)
    asked = wanted(rows, metrics, task)
    tested, why = against(rows, base, asked, samples) if base else ({}, [])
    where = letters(rows)
    letter = {row.label: each for row, each in zip(rows, where, strict=True)}
    if len(set(where)) > 1:
        notes += [said_of_letter(letter, rows, where) for letter in dict.fromkeys(where)]
    spread, about = figures_of(rows, asked, samples)
    tables = []
    for name, figures in asked.items():
        have = [row for row in rows if figures_in(row, name, figures)]
        columns = differing(have)
        lines = [
            Line(
                row,
                [values[n] for values in columns.values()],
                letter[row.label],
                {m: spread[name, m, row.label] for m in figures_in(row, name, figures)},
                {m: tested[name, m, row.label] for m in figures if (name, m, row.label) in tested},
            )
            for n, row in enumerate(have)
        ]
        table = Table(name, figures, list(columns), lines)
        tables.append(table._replace(lines=ordered(table, sort, reverse)))
    return Comparison(tables, base.label if base else None, [*notes, *about, *why], left)


def against(
    rows: Sequence[Row], base: Row, asked: Mapping[str, Sequence[str]], samples: int | None
) -> tuple[dict[tuple[str, str, str], Tested], list[str]]:
    """What tests takes seconds to import, and is needed where a test is asked for."""
    from mmfuse.compare.testing import tests

    return tests(rows, base, asked, samples)


def wanted(rows: Sequence[Row], metrics: Sequence[str] | None, task: str | None) -> dict[str, list[str]]:
    """By task, the figures to show: those that some row has."""
    tasks = list(dict.fromkeys(t for row in rows for t in row.first.metrics["test"]))
    if task is not None and task not in tasks:
        raise ConfigError(f"--task {task}: no run has it\n  {offer(task, tasks, 'there are')}")
    there = {t: names(rows, t) for t in ([task] if task else tasks)}
    if metrics is None:
        found = {t: usual(each) for t, each in there.items()}
    else:
        every = list(dict.fromkeys(name for each in there.values() for name in each))
        for name in metrics:
            if name not in every:
                raise ConfigError(f"--metric {name}: no run has this figure\n  {offer(name, every, 'there are')}")
        found = {t: [name for name in metrics if name in each] for t, each in there.items()}
    return {t: each for t, each in found.items() if each}


def names(rows: Sequence[Row], task: str) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.figures(task)))


def usual(there: Sequence[str]) -> list[str]:
    """
    >>> usual(["accuracy", "f1_macro", "ece"]), usual(["mine"])
    (['accuracy', 'f1_macro'], ['mine'])
    """
    return next((list(pair) for pair in USUAL if all(name in there for name in pair)), list(there[:2]))


def figures_in(row: Row, task: str, figures: Sequence[str]) -> list[str]:
    there = row.figures(task)
    return [m for m in figures if m in there]


def said_of_left(left: Sequence[LeftOut]) -> list[str]:
    """
    >>> said_of_left([LeftOut(Path("outputs/a"), "running"), LeftOut(Path("outputs/b"), "failed")])
    ['left out, for they are not finished: a (running), b (failed)']
    """
    if not left:
        return []
    said = ", ".join(f"{about.folder.name} ({about.why})" for about in left[:NAMED])
    more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    return [f"left out, for {'it is' if len(left) == 1 else 'they are'} not finished: {said}{more}"]


def versions(runs: Sequence[Run]) -> list[str]:
    found = sorted({str((run.manifest.get("versions") or {}).get("mmfuse", "unknown")) for run in runs})
    return [f"made by different versions of mmfuse: {', '.join(found)}"] if len(found) > 1 else []


def said_of_letter(letter: str, rows: Sequence[Row], where: Sequence[str]) -> str:
    of = [row for row, each in zip(rows, where, strict=True) if each == letter]
    data: Mapping[str, object] = of[0].first.manifest["data"]
    dataset = (of[0].first.cfg.get("choices") or {}).get("dataset", "the data")
    splits = data.get("splits") or [{}]
    tested = sum(split.get("test", 0) for split in splits) if isinstance(splits, list) else 0
    first = next(row for row, each in zip(rows, where, strict=True) if each == where[0])
    why = apart(first, of[0])
    return f"data {letter}: {dataset}, {data.get('rows')} rows, {tested} tested" + (f"; {why} than A" if why else "")
