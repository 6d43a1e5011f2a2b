"""Features that are no numbers: NaN, and what is infinite."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mmfuse.audit.arrays import as_array
from mmfuse.audit.sides import numbers, percent
from mmfuse.listener import Finding

UNUSUAL = re.compile(r"[NIeE]")  # without these letters, a list that is written as JSON holds finite numbers
MUCH = 0.20  # of the rows


def broken(modality: str, raw: Sequence[Any]) -> Iterator[Finding]:
    """Counts those in memory; files are read, and their faults told, by the preparation."""
    rows, steps, infinite = [], 0, 0
    for row, value in enumerate(raw):
        if isinstance(value, str) and not UNUSUAL.search(value):
            continue
        array = as_array(value)
        if array is None or (finite := np.isfinite(array)).all():
            continue
        rows.append(row)
        steps += int((~finite.reshape(len(array), -1)).any(axis=1).sum())
        infinite += int(np.isinf(array).any())
    if rows:
        share = len(rows) / len(raw)
        said = f"{steps} steps in {len(rows)} rows ({percent(share)}) hold NaN or infinite values"
        said += f", {infinite} of them infinite ones." if infinite else "."
        yield Finding("warning" if share > MUCH or infinite else "note", "nan", modality, said, numbers(np.array(rows)))
