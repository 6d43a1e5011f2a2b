"""The audit of rows that have been prepared: what the preparations read is what it looks at."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mmfuse.audit.audit import audit
from mmfuse.data.columns import Column, Stored
from mmfuse.data.splits import Split
from mmfuse.listener import Finding, Grade
from mmfuse.types import Examples, Preparation, Unreadable


def audit_of(
    examples: Examples,
    divided: Sequence[Split],
    kinds: Mapping[str, str],
    columns: Mapping[str, Column],
    preparations: Mapping[str, Preparation],
    present: Mapping[str, np.ndarray],
    unreadable: Mapping[str, Mapping[int, Unreadable]],
    broken: Grade,
    thorough: bool,
) -> list[Finding]:
    """`present` tells which rows have a modality, (N,); `broken` how grave a value is that cannot be read."""
    stored = {m: column for m, column in columns.items() if isinstance(column, Stored)}
    limits = {m: limit(preparations[m]) for m in stored}
    return audit(
        examples,
        divided,
        kinds,
        absent={m: ~here for m, here in present.items()},
        failures=unreadable,
        broken_is=broken,
        steps={m: column.lengths.numpy()[: len(examples)] for m, column in stored.items()},
        limits={m: steps for m, steps in limits.items() if steps is not None},
        read={m: reading(column) for m, column in stored.items()},
        thorough=thorough,
    )


def limit(preparation: Preparation) -> int | None:
    """The steps beyond which it cuts, where it has such a bound."""
    if isinstance(steps := getattr(preparation, "max_length", None), int):
        return steps
    seconds = getattr(preparation, "max_seconds", None)  # of samples, as many a second as its size says
    return None if seconds is None else int(seconds * preparation.size)


def reading(column: Stored) -> Callable[[int], np.ndarray | None]:
    data, starts, lengths = column.data.numpy(), column.starts.tolist(), column.lengths.tolist()

    def read(row: int) -> np.ndarray | None:
        return data[starts[row] : starts[row] + lengths[row]] if lengths[row] else None  # a view

    return read
