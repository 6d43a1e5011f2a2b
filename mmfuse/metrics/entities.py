"""Figures of whole entities, where steps are labelled B-PER, I-PER and O: right is who names kind, first and last step.

Precision, recall and F1 are micro averages over all rows, seqeval's in its lenient mode, which is that of CoNLL's own
script: an I- without a B- before it begins an entity too (Nakayama, 2018, https://github.com/chakki-works/seqeval).
Steps without a label are left out, so that what is labelled on both sides of them is adjacent.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmfuse.metrics.bootstrap import intervals, mean_std
from mmfuse.metrics.summary import Answers

TAG = re.compile(r"O|[BIES]-.+")
FIGURES = ("precision", "recall", "f1")
Tags = list[list[str]]


class Counted:
    """(N, 3) numbers of right, said and true entities of each row, which is what the figures are made of."""

    def resampled(self, answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
        right, said, true = (counts @ answer.astype(np.float64)).T  # (R,) each
        pairs = zip(FIGURES, ((right, said), (right, true), (2 * right, said + true)), strict=True)
        return {
            name: np.divide(part, whole, out=np.zeros(len(counts)), where=whole > 0) for name, (part, whole) in pairs
        }


def tagged(classes: Sequence[str]) -> bool:
    """Whether labels are of this kind.

    >>> tagged(["O", "B-PER", "I-PER"]), tagged(["O", "PER"]), tagged(["O", "E-"])
    (True, False, False)
    """
    return all(map(TAG.fullmatch, classes)) and any(c.startswith(("B-", "I-")) for c in classes)


def summarise(name: str, classes: Sequence[str], runs: Sequence[Answers], samples: int) -> dict[str, Any]:
    """Of each figure: mean, sample deviation, bootstrap interval over rows ("ci95") and every run's value."""
    from seqeval.metrics.sequence_labeling import precision_recall_fscore_support

    scores, counted = [], []
    for run in runs:
        which, said, true = sentences(run, name, classes)
        found = precision_recall_fscore_support(true, said, average="micro", zero_division=0)
        scores.append([float(value) for value in found[:3]])
        counted.append(
            (drawn(run, name, which), np.array([counts(*pair) for pair in zip(said, true, strict=True)]), which)
        )
    bounds = intervals(Counted(), counted, samples)
    return {
        figure: {**mean_std(values), "ci95": list(bounds[figure]), "values": list(values)}
        for figure, values in zip(FIGURES, zip(*scores, strict=True), strict=True)
    }


def drawn(run: Answers, name: str, which: np.ndarray) -> np.ndarray:
    """(N,) what is drawn of the rows `which`: they themselves, or their groups."""
    order = np.argsort(run.rows[name], kind="stable")
    return run.independent(name)[order[np.searchsorted(run.rows[name], which, sorter=order)]]


def sentences(run: Answers, name: str, classes: Sequence[str]) -> tuple[np.ndarray, Tags, Tags]:
    """The rows that have a label (N,), and each one's labels as they are said to be and as they are."""
    rows, target = run.rows[name], run.targets[name]
    names = np.array(classes, dtype=object)
    said, true = names[run.answers[name].argmax(axis=1)], names[target]
    which, steps = np.unique(rows, return_counts=True)
    places = np.split(np.argsort(rows, kind="stable"), steps.cumsum()[:-1])
    return which, [said[p].tolist() for p in places], [true[p].tolist() for p in places]


def counts(said: Sequence[str], true: Sequence[str]) -> tuple[int, int, int]:
    """Of one row: entities that are right, said and true."""
    from seqeval.metrics.sequence_labeling import get_entities

    here, there = set(get_entities(list(said))), set(get_entities(list(true)))
    return len(here & there), len(here), len(there)
