"""How far down the list the first right answer is.

A value's rank is 1 + the number of values that are strictly more alike (methods that rank ties by luck look better than
they are: the share of queries with a tie at the right answer's score is reported beside). Equal queries of one item are
asked once: five captions of a picture are five questions for it, but it is one question for them.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

CELLS = 20_000_000  # of the (queries x gallery) table held at a time
DEPTHS = (1, 5, 10)


class Ranks(NamedTuple):
    rank: np.ndarray  # (N,) float64 of each row's query; NaN where it is not asked
    tied: np.ndarray  # (N,) bool: another item's value is exactly as alike as the right one
    gallery: int  # the values there are to choose from


def ranks(queries: np.ndarray, gallery: np.ndarray, item: np.ndarray) -> Ranks:
    """(N, D) codes of length 1 or NaN, (N, D) codes, (N,) items; rows without an item or a code take no part."""
    known = (item >= 0) & ~np.isnan(queries).any(axis=1) & ~np.isnan(gallery).any(axis=1)
    rows = np.flatnonzero(known)
    asked, offered = rows[first_of(queries[rows], item[rows])], rows[first_of(gallery[rows], item[rows])]
    rank, tied = np.full(len(item), np.nan), np.zeros(len(item), dtype=bool)
    size = max(1, CELLS // max(1, len(offered)))
    for start in range(0, len(asked), size):
        some = asked[start : start + size]
        alike = queries[some] @ gallery[offered].T  # (q, G)
        right = item[some][:, None] == item[offered]
        best = np.where(right, alike, -np.inf).max(axis=1, keepdims=True)  # (q, 1)
        rank[some] = 1 + (~right & (alike > best)).sum(axis=1)
        tied[some] = (~right & (alike == best)).any(axis=1)
    return Ranks(rank, tied, len(offered))


def first_of(codes: np.ndarray, item: np.ndarray) -> np.ndarray:
    """The first row of each distinct (item, code), ascending."""
    _, first = np.unique(np.column_stack([item, codes]), axis=0, return_index=True)
    return np.sort(first)


def scores(found: tuple[Ranks, Ranks], between: Sequence[str]) -> dict[str, Any]:
    """Recall at 1, 5, 10, mean reciprocal rank and median rank in both directions; without a direction, their mean."""
    names = directions(between)
    table: dict[str, Any] = {}
    for name, about in zip(names, found, strict=True):
        asked = about.rank[~np.isnan(about.rank)]
        known = len(asked) > 0
        table |= {f"{name}/r@{k}": float((asked <= k).mean()) if known else float("nan") for k in DEPTHS}
        table[f"{name}/mrr"] = float((1 / asked).mean()) if known else float("nan")
        table[f"{name}/median_rank"] = float(np.median(asked)) if known else float("nan")
        table[f"{name}/ties"] = float(about.tied[~np.isnan(about.rank)].mean()) if known else float("nan")
        table[f"{name}/gallery"] = float(about.gallery)
    both = {k: (table[f"{names[0]}/{k}"] + table[f"{names[1]}/{k}"]) / 2 for k in (*(f"r@{k}" for k in DEPTHS), "mrr")}
    return both | table


def resampled(found: tuple[Ranks, Ranks], between: Sequence[str], counts: np.ndarray) -> dict[str, np.ndarray]:
    """The figures of `scores` where query n is asked counts[r, n] times of the same gallery: (R, N) -> (R,) each."""
    names = directions(between)
    table: dict[str, Any] = {}
    for name, about in zip(names, found, strict=True):
        asked = ~np.isnan(about.rank)
        rank, times = about.rank[asked], counts[:, asked].astype(np.float64)
        n = times.sum(axis=1)
        n = np.where(n > 0, n, np.nan)
        table |= {f"{name}/r@{k}": times @ (rank <= k) / n for k in DEPTHS}
        table[f"{name}/mrr"] = times @ (1 / rank) / n
        table[f"{name}/median_rank"] = medians(rank, times)
        table[f"{name}/ties"] = times @ about.tied[asked] / n
        table[f"{name}/gallery"] = np.full(len(counts), float(about.gallery))
    both = {k: (table[f"{names[0]}/{k}"] + table[f"{names[1]}/{k}"]) / 2 for k in (*(f"r@{k}" for k in DEPTHS), "mrr")}
    return both | table


def directions(between: Sequence[str]) -> tuple[str, str]:
    a, b = between
    return f"{a}_to_{b}", f"{b}_to_{a}"


def medians(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The median of (N,) values where value n is there times[r, n] times: (R, N) -> (R,).

    >>> medians(np.array([3.0, 1.0]), np.array([[1.0, 1.0], [2.0, 1.0], [0.0, 0.0]]))
    array([ 2.,  3., nan])
    """
    if not len(values):
        return np.full(len(times), np.nan)
    order = np.argsort(values)
    reached, values = times[:, order].cumsum(axis=1), values[order]
    n = reached[:, -1:]
    low = values[(reached < np.floor((n + 1) / 2)).sum(axis=1).clip(max=len(values) - 1)]
    high = values[(reached < np.ceil((n + 1) / 2)).sum(axis=1).clip(max=len(values) - 1)]
    return np.where(n[:, 0] > 0, (low + high) / 2, np.nan)
