"""How far people who judged the same rows agree, beyond what their habits would give by chance.

Cohen's kappa of two (Cohen, 1960, https://doi.org/10.1177/001316446002000104), Fleiss' of any number of them (Fleiss,
1971, https://doi.org/10.1037/h0031619). Each is computed for many samples of the rows at once, as intervals need it.
Kappa is NaN where everybody says the same of every row: there is nothing that chance could not have given.
"""

import numpy as np


def cohen(a: np.ndarray, b: np.ndarray, counts: np.ndarray, classes: int) -> np.ndarray:
    """(N,) and (N,) class numbers, where row n is taken counts[r, n] times: (R, N) -> (R,)."""
    n = counts.sum(axis=1)  # (R,)
    one = np.eye(classes)
    said_a, said_b = counts @ one[a] / n[:, None], counts @ one[b] / n[:, None]  # (R, K): shares of each class
    return beyond_chance(counts @ (a == b) / n, (said_a * said_b).sum(axis=1))


def fleiss(votes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(N, K) how many raters gave a row each class, as many for each row; counts (R, N) -> (R,)."""
    raters = votes.sum(axis=1)[0]
    n = counts.sum(axis=1)  # (R,)
    pairs = ((votes**2).sum(axis=1) - raters) / (raters * (raters - 1))  # (N,): the share of pairs that agree
    shares = counts @ votes / (n * raters)[:, None]  # (R, K)
    return beyond_chance(counts @ pairs / n, (shares**2).sum(axis=1))


def beyond_chance(seen: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """
    >>> beyond_chance(np.array([0.8, 1.0]), np.array([0.6, 1.0])).round(3)
    array([0.5, nan])
    """
    room = 1 - expected
    return np.divide(seen - expected, room, out=np.full(np.shape(seen), np.nan), where=room > 1e-12)
