"""A modality whose file name tells the target. mmfuse feeds no name to a model; whoever does feeds it the answer.

Parts of the names, one to three characters each with the name's ends marked, go into naive Bayes, cross-validated over
distinct names, against the majority. Names that are a number and nothing else are of arbitrary or of telling order:
there the nearest number is asked instead, and what it tells is a note, since rows that were sorted by class before
they were numbered are common and harmless where they are shuffled.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.audit.chance import FOLDS, Guess, by_number, folds, majority
from mmfuse.audit.presence import told
from mmfuse.audit.sample import of, sample
from mmfuse.listener import Finding

MOST = 2000  # names
BETTER = 0.10  # of what the majority leaves open


def file_names(modality: str, raw: Sequence[Any], task: str, strata: np.ndarray) -> Iterator[Finding]:
    """`strata` (N,) classes, -1 without a label or where the row is not to be looked at."""
    rows = np.array([r for r, v in enumerate(raw) if isinstance(v, Path) and strata[r] >= 0], dtype=np.int64)
    first = {raw[row].stem: row for row in rows[::-1].tolist()}  # a name stands for one row, its first
    named = np.array(sorted(first.values()), dtype=np.int64)
    looked = sample(named, MOST)
    names, classes = [raw[row].stem for row in looked.tolist()], strata[looked]
    if len(looked) < 2 * FOLDS or len(np.unique(classes)) < 2:
        return
    numbered = one_number(names)
    guess = by_parts(names, classes) if numbered is None else by_number(numbered, classes)
    if not guess.beats_majority(BETTER * (1 - guess.majority)):
        return
    where = f"'{names[0]}'" + of(len(looked), len(named))
    if numbered is None:
        said = told(f"its file name, such as {where},", task, guess) + " Never feed names to a model."
        yield Finding("warning", "file names", modality, said, tuple(rows.tolist()))
    else:
        said = told(f"the number in its file name, such as {where},", task, guess)
        yield Finding(
            "note",
            "file names",
            modality,
            f"{said} The files may have been numbered class by class.",
            tuple(rows.tolist()),
        )


def one_number(names: Sequence[str]) -> np.ndarray | None:
    """(n,) the number in each name, where nothing else differs between names.

    >>> one_number(["img_007", "img_12"]), one_number(["0_george_1", "1_anna_1"]), one_number(["0_1", "1_1"])
    (array([ 7., 12.]), None, None)
    """
    split = [re.split(r"(\d+)", name) for name in names]
    if any(len(parts) != 3 or (parts[0], parts[2]) != (split[0][0], split[0][2]) for parts in split):
        return None
    return np.array([float(parts[1]) for parts in split])


def by_parts(names: Sequence[str], classes: np.ndarray) -> Guess:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB

    marked = [f"^{name.casefold()}$" for name in names]
    counts = CountVectorizer(analyzer="char", ngram_range=(1, 3), lowercase=False, min_df=2, binary=True)
    try:
        seen = counts.fit_transform(marked)  # of all names: which parts there are says nothing of a class
    except ValueError:  # no two names have any part in common
        return Guess(0, len(names), majority(classes))
    part, right = folds(len(names)), 0
    for fold in range(FOLDS):
        told_by = MultinomialNB(alpha=0.1, fit_prior=True).fit(seen[part != fold], classes[part != fold])
        right += int((told_by.predict(seen[part == fold]) == classes[part == fold]).sum())
    return Guess(right, len(names), majority(classes))
