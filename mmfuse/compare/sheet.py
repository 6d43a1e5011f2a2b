"""A review sheet: predictions drawn for people to judge.

The draw is stratified by whether the prediction is right, and by class, in the shares that they have among the test
rows: what raters make of the sheet stands for all of them. The order is shuffled, or it would tell the kinds apart.
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
    right = (rows["target"] == rows["predicted"]).to_numpy()
    drawn = rows.iloc[stratified(right, rows["target"].tolist(), min(count, len(rows)), np.random.default_rng(seed))]
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


def stratified(right: np.ndarray, classes: Sequence[str], count: int, random: np.random.Generator) -> np.ndarray:
    """`count` different places, shuffled: right and wrong by their shares, and of each every class by its share.

    >>> right = np.arange(100) >= 10
    >>> places = stratified(right, ["a"] * 50 + ["b"] * 50, 20, np.random.default_rng(0))
    >>> int((~right[places]).sum()), int((places >= 50).sum())
    (2, 10)
    """
    _, which = np.unique(np.asarray(classes), return_inverse=True)
    chosen = []
    sides = [np.flatnonzero(right), np.flatnonzero(~right)]
    for side, some in zip(sides, shares([len(side) for side in sides], count, random), strict=True):
        kinds = [side[which[side] == k] for k in range(which.max() + 1)]
        for kind, n in zip(kinds, shares([len(kind) for kind in kinds], some, random), strict=True):
            chosen.append(random.choice(kind, size=n, replace=False) if n else kind[:0])
    return random.permutation(np.concatenate(chosen))


def shares(sizes: Sequence[int], count: int, random: np.random.Generator) -> list[int]:
    """`count` divided as the sizes are, whole numbers, the largest remainders rounded up; ties by chance.

    >>> shares([90, 10], 20, np.random.default_rng(0))
    [18, 2]
    """
    if not count:
        return [0] * len(sizes)
    exact = np.asarray(sizes) * count / sum(sizes)
    take = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(take - exact + random.random(len(sizes)) * 1e-9)
    take[order[: count - take.sum()]] += 1
    return [int(n) for n in take]
