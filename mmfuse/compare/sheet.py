"""A review sheet: predictions drawn for people to judge.

The draw is stratified by class and by whether the prediction is right, in the shares that they have among the test
rows, with one of each kind where there is room: what raters make of the sheet stands for the test rows. The order is
shuffled, or it would tell the kinds apart.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mmfuse.compare.predicted import predicted
from mmfuse.compare.reading import Run
from mmfuse.errors import ConfigError
from mmfuse.run.finished import check_targets


def sheet(run: Run, count: int, blind: bool, seed: int = 0, task: str | None = None) -> tuple[pd.DataFrame, list[str]]:
    """Its columns: row, id, task, what a row says where that is text, target and predicted unless blind, rating, note.

    And what has to be said of it.
    """
    name, rows, _ = predicted(run, task)
    if count < 1:
        raise ConfigError(f"--review {count}: at least 1 row is needed")
    notes = [] if count <= len(rows) else [f"there are only {len(rows)} labelled test rows"]
    kinds = [f"{row.target}|{row.target == row.predicted}" for row in rows.itertuples()]
    drawn = rows.iloc[stratified(kinds, min(count, len(rows)), np.random.default_rng(seed))]
    table = pd.DataFrame({"row": drawn["row"], "id": drawn["id"], "task": name})
    try:
        table = table.assign(**texts(run, drawn["row"].tolist()))
    except Exception as error:  # data sets raise what they like where their files are gone
        notes.append(f"without the rows' texts: {(str(error).splitlines() or [type(error).__name__])[0]}")
    if not blind:
        table = table.assign(target=drawn["target"], predicted=drawn["predicted"])
    return table.assign(rating="", note=""), notes


def texts(run: Run, rows: Sequence[int]) -> Mapping[str, list[str]]:
    """By modality of text or files: what the rows say, or where it lies. Reading the data set needs torch."""
    check_targets(run.cfg["dataset"], "dataset", ())
    from mmfuse.run.prepare import load

    examples = load(run.cfg)
    found = {}
    for m, column in examples.raw.items():
        values = [column[row] for row in rows]
        if all(value is None or isinstance(value, str | Path) for value in values):
            found[m] = ["" if value is None else str(value) for value in values]
    return found


def stratified(kinds: Sequence[str], count: int, random: np.random.Generator) -> np.ndarray:
    """`count` different places, each kind by its share, at least one of each where there is room, shuffled.

    >>> places = stratified(["a"] * 90 + ["b"] * 10, 10, np.random.default_rng(0))
    >>> sum(place >= 90 for place in places.tolist())
    1
    """
    names, which = np.unique(np.asarray(kinds), return_inverse=True)
    sizes = np.bincount(which, minlength=len(names))
    least = 1 if count >= len(names) else 0
    exact = sizes * count / len(kinds)
    take = np.maximum(np.floor(exact).astype(int), least)
    while take.sum() > count:  # where rare kinds took more than their share
        take[np.argmax(np.where(take > least, take - exact, -np.inf))] -= 1
    order = np.argsort(take - exact + random.random(len(names)) * 1e-9)  # ties by chance
    for k in [k for k in order if take[k] < sizes[k]][: count - take.sum()]:
        take[k] += 1
    chosen = [random.choice(np.flatnonzero(which == k), size=take[k], replace=False) for k in range(len(names))]
    return random.permutation(np.concatenate(chosen))
