"""Training and test rows that differ: in what is simple to see of a modality, and in how often classes come.

Kolmogorov and Smirnov's test for each trait, chi-squared for classes, Holm's correction over all of them; and a
difference has to be large as well as sure, since of many rows the least difference is sure.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from scipy.stats import chi2_contingency, ks_2samp

from mmfuse.audit.sample import of
from mmfuse.audit.sides import NAMES, numbers, percent
from mmfuse.audit.traits import Traits
from mmfuse.listener import Finding

SURE = 1e-4  # after correction
FAR = 0.2  # the largest distance of two cumulative distributions
APART = 0.1  # the share of rows that would have to change class


def shift(
    described: Mapping[str, tuple[np.ndarray, Traits]], side: np.ndarray, rows_in_all: int, k: int = 2
) -> Iterator[Finding]:
    """`described` by modality: (n,) row numbers and their traits; `side` (N,) of the split; `k` is test's."""
    tests = []
    for modality, (rows, found) in described.items():
        for trait in np.flatnonzero(found.plain).tolist():
            values = found.values[:, trait]
            ours, theirs = (values[(side[rows] == s) & np.isfinite(values)] for s in (0, k))
            if min(len(ours), len(theirs)) >= 20 and np.ptp(np.concatenate([ours, theirs])) > 0:
                result = ks_2samp(ours, theirs, method="asymp")
                tests.append((float(result.pvalue), float(result.statistic), modality, trait))
    sure = holm([test[0] for test in tests]) < SURE
    for modality, (rows, found) in described.items():
        differ = [test for test, is_sure in zip(tests, sure, strict=True) if test[2] == modality and is_sure]
        if not (differ := [test for test in differ if test[1] >= FAR]):
            continue
        _, distance, _, trait = max(differ, key=lambda test: test[1])
        values = found.values[:, trait]
        ours = values[(side[rows] == 0) & np.isfinite(values)]
        theirs = values[(side[rows] == k) & np.isfinite(values)]
        low, high = np.quantile(ours, [0.01, 0.99])
        beyond = (side[rows] == k) & ((values < low) | (values > high))
        said = (
            f"Train and {NAMES[k]} differ in {len(differ)} of {found.plain.sum()} traits, most in {found.names[trait]}:"
            f" median {np.median(ours):.3g} and {np.median(theirs):.3g} (KS {distance:.2f})"
            f"{of(len(rows), rows_in_all)}; {beyond.sum()} {NAMES[k]} rows lie beyond 98 % of training."
        )
        yield Finding("warning", "shift", modality, said, numbers(rows[beyond]))


def class_shift(task: str, strata: np.ndarray, names: tuple[str, ...] | None, side: np.ndarray) -> Iterator[Finding]:
    """`strata` (N,) classes, -1 without a label; `names` None for terciles of a number."""
    for k in (1, 2):
        ours, theirs = (strata[(side == s) & (strata >= 0)] for s in (0, k))
        if not len(ours) or not len(theirs):
            continue
        table = np.stack([np.bincount(y, minlength=int(strata.max()) + 1) for y in (ours, theirs)])  # (2, K)
        table = table[:, table.sum(axis=0) > 0]
        which = np.unique(np.concatenate([ours, theirs]))
        shares = table / table.sum(axis=1, keepdims=True)
        apart = np.abs(shares[0] - shares[1]).sum() / 2
        if len(which) > 1 and apart >= APART and chi2_contingency(table).pvalue < SURE:
            most = int(np.abs(shares[0] - shares[1]).argmax())
            name = (
                f"'{names[which[most]]}'"
                if names
                else ("a low", "a middle", "a high")[min(int(which[most]), 2)] + " value"
            )
            said = (
                f"Train and {NAMES[k]} differ in their classes: {percent(shares[0, most])} and"
                f" {percent(shares[1, most])} are {name}; {percent(apart)} of the rows would have to change class."
            )
            yield Finding("warning", "shift", task, said)


def holm(p: list[float]) -> np.ndarray:
    """(n,) p-values corrected for their number (Holm, 1979).

    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    values = np.array(p, dtype=np.float64)
    order = np.argsort(values)
    corrected = np.maximum.accumulate(values[order] * (len(values) - np.arange(len(values)))).clip(max=1.0)
    found = np.empty_like(values)
    found[order] = corrected
    return found
