"""What is independent among a row's test units: the row, or the group that it is of where the data set names one."""

import numpy as np

from mmfuse.compare.folding import Row
from mmfuse.run.finished import check_targets


def named(row: Row) -> str | None:
    """The group that the data set's config names, such as a speaker."""
    group: str | None = row.first.cfg["dataset"]["split"].get("group")
    return group


def groups(row: Row) -> np.ndarray:
    """(N,) a number for each row of the data set, equal for rows of one group. Reading the data set needs torch."""
    check_targets(row.first.cfg["dataset"], "dataset", ())
    from mmfuse.run.prepare import load

    found = load(row.first.cfg).groups
    if found is None:
        raise ValueError("the data set has no groups")
    return np.unique(found, return_inverse=True)[1]
