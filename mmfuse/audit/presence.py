"""A modality whose mere presence tells the target: what it holds is then the lesser part of what it says.

Two tests, each against chance. What is told right, cross-validated, by whether the modality is there; and, since a
majority hides a leak in a rare class, how unevenly the classes lack it (Cramér's V of the table).
"""

from collections.abc import Iterator, Mapping

import numpy as np
from scipy.stats import chi2_contingency

from mmfuse.audit.chance import SURE, Guess, by_value
from mmfuse.audit.sides import numbers, percent
from mmfuse.listener import Finding

STRONG = 0.2  # Cramér's V
BETTER = 0.02  # accuracy over the majority's


def presence(lacks: Mapping[str, np.ndarray], task: str, strata: np.ndarray, rows: np.ndarray) -> Iterator[Finding]:
    """`lacks` by modality (N,); `strata` (N,) classes, -1 without a label; `rows` are those to look at."""
    rows = rows[strata[rows] >= 0]
    found = False
    for modality, missing in lacks.items():
        here, classes = missing[rows], strata[rows]
        if not here.any() or here.all() or len(np.unique(classes)) < 2:
            continue
        guess, v, p = by_value(here.astype(np.int64), classes), *association(here, classes)
        if guess.beats_majority(BETTER):
            yield Finding(
                "warning", "presence", modality, told(f"whether {modality} is there", task, guess), numbers(rows[here])
            )
            found = True
        elif v >= STRONG and p < SURE:
            lacking = [here[classes == k].mean() for k in np.unique(classes)]
            extent = f"{percent(min(lacking))} to {percent(max(lacking))}"
            said = f"Whether {modality} is there depends on '{task}': {extent} of a class lack it."
            yield Finding("warning", "presence", modality, said, numbers(rows[here]))
            found = True
    if not found and sum(bool(m[rows].any()) for m in lacks.values()) > 1:
        which = np.unique(np.stack([m[rows] for m in lacks.values()]), axis=1, return_inverse=True)[1].reshape(-1)
        if (guess := by_value(which, strata[rows])).beats_majority(BETTER):
            holes = np.any([m[rows] for m in lacks.values()], axis=0)
            yield Finding(
                "warning", "presence", "", told("which modalities are there", task, guess), numbers(rows[holes])
            )


def told(what: str, task: str, guess: Guess) -> str:
    return (
        f"{what[0].upper()}{what[1:]} tells '{task}' with {percent(guess.accuracy)} accuracy,"
        f" where the majority is {percent(guess.majority)} (cross-validated)."
    )


def association(here: np.ndarray, classes: np.ndarray) -> tuple[float, float]:
    """(Cramér's V, p) of a (n,) bool and (n,) classes."""
    table = np.stack([np.unique(classes, return_inverse=True)[1].reshape(-1), here]).astype(np.int64)
    counts = np.zeros((table[0].max() + 1, 2))
    np.add.at(counts, tuple(table), 1)
    result = chi2_contingency(counts, correction=False)
    least = 5 * counts.shape[0]  # fewer rows in the smaller column than five a class, and chi-squared is not exact
    p = float(result.pvalue) if min(counts.sum(axis=0)) >= least or counts.shape[0] == 2 else 1.0
    return float(np.sqrt(result.statistic / counts.sum())), p
