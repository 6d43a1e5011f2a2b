"""What each modality gives, read off a value function: v(S), a figure where only the modalities S are heard.

Every function takes the whole of v, 2^M subsets of the M modalities, and is linear in it: values may be numbers, or
arrays of as many draws as v was measured in. What is given is in the figure's own terms; where less is better, as of an
error, below zero is good.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import comb

import numpy as np

Value = float | np.ndarray  # of each draw, (K,)
Values = Mapping[frozenset[str], Value]  # by what is heard


def subsets(modalities: Sequence[str]) -> list[frozenset[str]]:
    """The empty one first, and all modalities last.

    >>> ["".join(sorted(heard)) for heard in subsets("abc")]
    ['', 'a', 'b', 'c', 'ab', 'ac', 'bc', 'abc']
    """
    return [frozenset(some) for size in range(len(modalities) + 1) for some in combinations(modalities, size)]


def shapley(values: Values, modalities: Sequence[str]) -> dict[str, Value]:
    """Exact Shapley values: phi_m = sum over S without m of |S|! (M - |S| - 1)! / M! (v(S + m) - v(S)).

    They add up to v(all) - v(none) (Shapley, A Value for n-Person Games, 1953,
    https://doi.org/10.1515/9781400881970-018).

    >>> shapley({frozenset(): 0.0, frozenset("a"): 1.0, frozenset("b"): 3.0, frozenset("ab"): 8.0}, "ab")
    {'a': 3.0, 'b': 5.0}
    """
    whole = len(modalities)
    found: dict[str, Value] = {}
    for m in modalities:
        rest = [other for other in modalities if other != m]
        found[m] = sum((values[s | {m}] - values[s]) / (whole * comb(whole - 1, len(s))) for s in subsets(rest))
    return found


def imbalance(shares: Mapping[str, float]) -> float:
    """How unevenly Shapley values lie: (max - min) / sum of sizes; 0 where all are alike, NaN where all are 0.

    >>> imbalance({"a": 0.25, "b": 0.25}), imbalance({"a": 0.5, "b": 0.0})
    (0.0, 1.0)
    """
    size = sum(abs(share) for share in shares.values())
    return (max(shares.values()) - min(shares.values())) / size if size else float("nan")


def leave_one_out(values: Values, modalities: Sequence[str]) -> dict[str, Value]:
    """What is lost with each one: v(all) - v(all but m).

    Of values whose absent modalities are permuted, this is the perceptual score (Gat, Schwartz and Schwing, Perceptual
    Score: What Data Modalities Does Your Model Perceive?, 2021, https://arxiv.org/abs/2110.14375).
    """
    whole = frozenset(modalities)
    return {m: values[whole] - values[whole - {m}] for m in modalities}


def interactions(values: Values, modalities: Sequence[str]) -> dict[tuple[str, str], Value]:
    """Of each pair, what the two give together beyond what each gives: v(ab) - v(a) - v(b) + v(none).

    Above zero they complete each other, below they say the same twice (Grabisch and Roubens, An Axiomatic Approach to
    the Concept of Interaction, 1999, https://doi.org/10.1007/s001820050125; of more than two modalities, theirs also
    averages over what the others say, which are not heard here).
    """
    none, single = values[frozenset()], {m: values[frozenset([m])] for m in modalities}
    return {(a, b): values[frozenset([a, b])] - single[a] - single[b] + none for a, b in combinations(modalities, 2)}
