"""Intervals by the bootstrap: all sixteen figures of a classification. CPU time.

The rival is scikit-learn, one draw at a time, of five of the figures and of twenty draws, reckoned up.
"""

from collections.abc import Iterator

import numpy as np
from sklearn import metrics as sk

from benches.judged_model import CLASSES, ROWS, TASK
from benches.row import Row
from benches.timing import spent
from mmfuse.metrics.bootstrap import draw, intervals

DRAWS = 10_000


def answers() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    target = random.integers(CLASSES, size=ROWS)
    logits = random.normal(size=(ROWS, CLASSES)) + 2 * np.eye(CLASSES)[target]
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), target


def rows() -> Iterator[Row]:
    said, target = answers()
    ours = spent(lambda: intervals(TASK, [(np.arange(ROWS), said, target)], DRAWS))
    few = 20
    ((counts,),) = draw([np.arange(ROWS)], few)

    def one_by_one() -> None:
        for times in counts.astype(int):
            which = np.repeat(np.arange(ROWS), times)
            sk.accuracy_score(target[which], said[which].argmax(1))
            sk.precision_recall_fscore_support(target[which], said[which].argmax(1), average="macro", zero_division=0.0)
            sk.roc_auc_score(target[which], said[which], multi_class="ovr", labels=range(CLASSES))

    rival = spent(one_by_one) * DRAWS / few
    yield Row(f"{DRAWS:,} draws of {ROWS:,} rows, five figures of ours and more", ours, rival, None, "s")
    yield Row("the same", ours, None, ("<", 3.0), "s")
