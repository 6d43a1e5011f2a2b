"""How far a figure would move had other rows been drawn: percentile intervals of the bootstrap.

Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np

CELLS = 20_000_000  # of the (samples x rows) table held at a time
KEPT = 5_000_000  # of them that are remembered: 40 MB
WORK = 1e11  # samples x rows x classes: some minutes
FEWEST = 200  # samples, where that is too much


@runtime_checkable
class Resampled(Protocol):
    """A task, or whatever else has figures of answers and targets."""

    def resampled(self, answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
        """Of units that are taken counts[r, u] times: (R, U) -> (R,) each."""
        ...


def intervals(
    task: Resampled, runs: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], samples: int, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """The interval of each figure's mean over runs, each of which is (drawn, answers, targets) of one split's units.

    What is drawn is what is independent: the row that a unit is of, so that labelled steps of one row come and go
    together, or the group that the row is of, such as its speaker.

    Runs that tested the same rows (seeds) see the same draw of them, so that what they share is not counted twice;
    runs that tested others (folds) draw for themselves. The spread between seeds is no part of it: that is the
    sample deviation beside it.
    """
    samples = affordable(samples, max(answer.size for _, answer, _ in runs))
    total: dict[str, list[np.ndarray]] = {}
    for draws in draw([rows for rows, _, _ in runs], samples):
        figures = [task.resampled(answer, target, d) for d, (_, answer, target) in zip(draws, runs, strict=True)]
        for name in figures[0]:
            total.setdefault(name, []).append(np.mean([f[name] for f in figures], axis=0))
    return {name: percentiles(np.concatenate(parts), level) for name, parts in total.items()}


def affordable(samples: int, size: int) -> int:
    """How many of these samples of (rows x classes) answers are taken: all, unless there are very many.

    >>> affordable(10_000, 2_000 * 10), affordable(10_000, 20_000 * 3_000), affordable(10_000, 200_000 * 3_000)
    (10000, 1666, 200)
    """
    return min(samples, max(FEWEST, int(WORK / max(1, size))))


def draw(rows: Sequence[np.ndarray], samples: int) -> Iterator[list[np.ndarray]]:
    """For each run how often the row of each unit is drawn, (R, U) floats; a few samples at a time, all in the end."""
    random = np.random.default_rng(0)
    size = max(1, min(samples, CELLS // max(len(r) for r in rows)))
    alike = all(np.array_equal(r, rows[0]) for r in rows)
    for start in range(0, samples, size):
        drawn: dict[bytes, np.ndarray] = {}
        for r in rows:
            if r.tobytes() not in drawn:
                which, place = np.unique(r, return_inverse=True)
                some, kept = min(size, samples - start), alike and len(which) * samples <= KEPT
                times = at_first(len(which), samples) if kept else counts(random, len(which), some)  # (R, N)
                drawn[r.tobytes()] = times if np.array_equal(which, r) else times[:, place]
        yield [drawn[r.tobytes()] for r in rows]


@lru_cache(maxsize=2)
def at_first(n: int, samples: int) -> np.ndarray:
    """What is drawn first, and alike for all runs that are judged by one process: of validation rows, of test rows."""
    found = counts(np.random.default_rng(0), n, samples)
    found.setflags(write=False)
    return found


def counts(random: np.random.Generator, n: int, samples: int) -> np.ndarray:
    """How often each of n is among n that are drawn with replacement: (samples, n), each sample adding up to n.

    Counting what was drawn is several times quicker than numpy's multinomial.
    """
    drawn = random.integers(n, size=(samples, n), dtype=np.int32).astype(np.int64)
    drawn += np.arange(samples)[:, None] * n
    return np.bincount(drawn.reshape(-1), minlength=samples * n).reshape(samples, n).astype(np.float64)


def percentiles(values: np.ndarray, level: float) -> tuple[float, float]:
    """The middle `level` of the values, those that are not a number left out.

    >>> percentiles(np.arange(101.0), 0.5)
    (25.0, 75.0)
    """
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def mean_std(values: Sequence[float]) -> Mapping[str, float]:
    """The mean and the sample deviation, which one value does not have.

    >>> mean_std([1.0, 2.0, 3.0])
    {'mean': 2.0, 'std': 1.0}
    >>> mean_std([1.0])
    {'mean': 1.0, 'std': nan}
    """
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else float("nan"),
    }
