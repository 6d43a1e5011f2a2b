"""What people said of a sheet's rows: how often they are right, agree with the model, and with one another.

Intervals are percentiles of the bootstrap over rows, 95 %. Each figure is over the rows that all it speaks of have
rated; Fleiss' kappa is over those that every rater has.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.compare.predicted import predicted
from mmfuse.compare.raters import Sheet, known_labels, read, refuse_other_rows
from mmfuse.compare.reading import Run
from mmfuse.metrics import agreement
from mmfuse.metrics.bootstrap import percentiles
from mmfuse.wording import number

SAMPLES = 2000
TRUTH, MODEL = "target", "predicted"


def ratings(files: Sequence[Path], run: Run | None = None, task: str | None = None) -> dict[str, Any]:
    """As plain JSON. Targets and predictions are the run's, or else the sheets' own, where they are not blind."""
    sheet = read(files)
    if run is None:
        classes = sorted({value for each in sheet.told.values() for value in each.values()})
        said = {part: {row: each[part] for row, each in sheet.told.items() if part in each} for part in (TRUTH, MODEL)}
    else:
        _, table, classes = predicted(run, task)
        refuse_other_rows(sheet, table["row"].tolist())
        said = {part: dict(zip(table["row"].tolist(), table[part], strict=True)) for part in (TRUTH, MODEL)}
    if classes:
        sheet = known_labels(sheet, classes)
    else:
        classes = sorted({rating for each in sheet.ratings.values() for rating in each.values()})
    place = {name: k for k, name in enumerate(classes)}
    numbered = {who: {row: place[label] for row, label in each.items()} for who, each in sheet.ratings.items()}
    about = {part: {row: place[label] for row, label in each.items()} for part, each in said.items()}
    return {
        "raters": {who: of_rater(each, about) | {"empty": sheet.empty[who]} for who, each in numbered.items()},
        "model": shares(about[MODEL], about[TRUTH], rated_rows(sheet)),
        "cohen": {f"{a} and {b}": pair(numbered[a], numbered[b], len(classes)) for a, b in combinations(numbered, 2)},
        "fleiss": everyone(list(numbered.values()), len(classes)) if len(numbered) > 1 else None,
    }


def rated_rows(sheet: Sheet) -> list[int]:
    return sorted({row for each in sheet.ratings.values() for row in each})


def of_rater(each: dict[int, int], about: dict[str, dict[int, int]]) -> dict[str, Any]:
    found = {"rated": len(each), "accuracy": shares(each, about[TRUTH], list(each))}
    return found | {"agrees with the model": shares(each, about[MODEL], list(each))}


def shares(a: dict[int, int], b: dict[int, int], rows: Sequence[int]) -> dict[str, Any] | None:
    """How often the two say the same, over rows that both speak of; None where there are none."""
    both = [row for row in rows if row in a and row in b]
    if not both:
        return None
    same = np.array([a[row] == b[row] for row in both], dtype=float)
    return estimated(len(both), lambda counts: counts @ same / counts.sum(axis=1))


def pair(a: dict[int, int], b: dict[int, int], classes: int) -> dict[str, Any] | None:
    both = sorted(a.keys() & b.keys())
    if not both:
        return None
    x, y = (np.array([each[row] for row in both]) for each in (a, b))
    return estimated(len(both), lambda counts: agreement.cohen(x, y, counts, classes))


def everyone(raters: Sequence[dict[int, int]], classes: int) -> dict[str, Any] | None:
    rows = sorted(set.intersection(*(set(each) for each in raters)))
    if not rows:
        return None
    said = np.array([[each[row] for each in raters] for row in rows])  # (N, raters)
    votes = np.eye(classes)[said].sum(axis=1)  # (N, K)
    return estimated(len(rows), lambda counts: agreement.fleiss(votes, counts))


def estimated(rows: int, figure: Callable[[np.ndarray], np.ndarray]) -> dict[str, Any]:
    draws = np.random.default_rng(0).multinomial(rows, np.full(rows, 1 / rows), size=SAMPLES).astype(float)  # (R, N)
    low, high = percentiles(figure(draws), 0.95)
    return {"value": float(figure(np.ones((1, rows)))[0]), "ci95": [low, high], "rows": rows}


def in_words(found: dict[str, Any]) -> str:
    lines = []
    for who, about in found["raters"].items():
        empty = f", {about['empty']} left empty" if about["empty"] else ""
        said = [f"{name} {words(about[name])}" for name in ("accuracy", "agrees with the model") if about[name]]
        lines.append(f"{who}   {about['rated']} rated{empty}   {'   '.join(said)}".rstrip())
    if found["model"]:
        lines.append(f"the model, on the rows that anybody rated   accuracy {words(found['model'])}")
    for who, about in found["cohen"].items():
        lines.append(f"Cohen's kappa, {who}   {words(about) if about else 'no row that both rated'}")
    if len(found["raters"]) > 1:
        lines.append(f"Fleiss' kappa, all   {words(found['fleiss']) if found['fleiss'] else 'no row that all rated'}")
    return "\n".join(lines) + "\n"


def words(about: dict[str, Any]) -> str:
    """
    >>> words({"value": 0.8, "ci95": [0.7, 0.9], "rows": 50})
    '.800 [.700, .900] (50 rows)'
    """
    value, low, high = (number(v if v == v else None) for v in (about["value"], *about["ci95"]))
    return f"{value} [{low}, {high}] ({about['rows']} rows)"
