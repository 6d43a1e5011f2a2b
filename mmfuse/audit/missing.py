"""Which rows lack a modality, and which of them because it cannot be read."""

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
from scipy.stats import chi2_contingency

from mmfuse.audit.sides import NAMES, numbers, percent
from mmfuse.data.splits import Split
from mmfuse.listener import Finding, Grade
from mmfuse.types import Unreadable

MUCH = 0.20  # of a split's rows
APART = 0.10  # between the shares of two splits


def missing(modality: str, lacks: np.ndarray, split: Split) -> Iterator[Finding]:
    """`lacks` (N,) is True where a row has no such modality."""
    shares = {side: float(lacks[rows].mean()) if len(rows) else 0.0 for side, rows in split._asdict().items()}
    if not any(shares.values()):
        return
    said = ", ".join(
        f"{int(lacks[rows].sum())} of {len(rows)} {side} ({percent(shares[side])})"
        for side, rows in split._asdict().items()
    )
    grade: Literal["warning", "note"] = "warning" if max(shares.values()) > MUCH else "note"
    rows = np.concatenate(split)
    yield Finding(grade, "missing", modality, f"Missing in {said} rows.", numbers(rows[lacks[rows]]))
    for side in NAMES[1:]:
        table = [[(lacks[r]).sum(), (~lacks[r]).sum()] for r in (split.train, getattr(split, side))]
        if abs(shares[side] - shares["train"]) >= APART and chi2_contingency(table).pvalue < 1e-4:
            said = f"Missing in {percent(shares['train'])} of the train and {percent(shares[side])} of the {side} rows."
            of_side = getattr(split, side)
            yield Finding("warning", "missing", modality, said, numbers(of_side[lacks[of_side]]))


def unreadable(modality: str, values: Mapping[int, Unreadable], n: int, broken_is: Grade) -> Iterator[Finding]:
    """`values` by row, of `n` rows. Files that are not there are one thing, broken ones another."""
    lost = {row: value for row, value in values.items() if value.absent}
    broken = {row: value for row, value in values.items() if not value.absent}
    if lost:
        said = f"{len(lost)} of {n} values are not found and count as missing; the first: {lost[min(lost)].value}."
        yield Finding("warning", "not found", modality, said, tuple(sorted(lost)))
    if broken:
        first = broken[min(broken)]
        said = f"{len(broken)} of {n} values cannot be read; the first: {first.value}: {first.reason}."
        yield Finding(broken_is, "unreadable", modality, said, tuple(sorted(broken)))
