"""Each row against the reference, on the same units and the same draws of them.

The tests are those of mmfuse/metrics/paired.py. All rows share each draw, so that the reference is scored once and not
once a row. p counts among all that was asked, rows times figures times tasks (Holm).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mmfuse.compare import drawn
from mmfuse.compare.drawn import Answered
from mmfuse.compare.judges import Judge
from mmfuse.compare.table import Tested
from mmfuse.metrics.paired import Difference, concluded, holm, right


def differences(
    judge: Judge, figures: Sequence[str], reference: Answered, others: Sequence[Answered], samples: int
) -> list[dict[str, Difference]]:
    """For each of the others, its difference from the reference by figure. All were asked the same."""
    found: list[dict[str, list[np.ndarray]]] = [{f: [] for f in figures} for _ in others]
    for counts in drawn.draws(reference, samples):
        base = drawn.means(judge, reference, counts)
        for said, table in zip(others, found, strict=True):
            theirs = drawn.means(judge, said, counts)
            for f in figures:
                table[f].append(theirs[f] - base[f])
    once = drawn.whole(judge, reference)
    results = []
    for said, table in zip(others, found, strict=True):
        seen = drawn.whole(judge, said)
        about = {f: (np.concatenate(table[f]), seen[f] - once[f], only_one_right(f, said, reference)) for f in figures}
        results.append({f: concluded(*each) for f, each in about.items()})
    return results


def only_one_right(figure: str, said: Answered, reference: Answered) -> tuple[int, int] | None:
    """Rows that only one of two models has right, where the exact test applies: accuracy, one model each, no groups."""
    if figure != "accuracy" or len(said) != 1 or len(reference) != 1:
        return None
    (_, first), (_, second) = said[0], reference[0]
    if first.target.ndim != 1 or len(np.unique(first.units)) != len(first.units):
        return None
    return right(first, second)


def family(found: Sequence[Mapping[str, Difference]]) -> list[dict[str, Tested]]:
    """With p as it counts among them all; one that cannot be had (no draw has the figure) counts for none."""
    every = [about for table in found for about in table.values() if about.p == about.p]
    raised = dict(zip(map(id, every), holm([about.p for about in every]), strict=True)) if every else {}
    return [{f: Tested(*about, raised.get(id(about), float("nan"))) for f, about in table.items()} for table in found]
