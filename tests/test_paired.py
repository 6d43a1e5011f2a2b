"""Whether a difference is more than luck: against scipy, statsmodels' published values, and the null."""

import numpy as np
import pytest
from scipy import stats

from mmfuse.metrics.paired import Scored, differ, holm, mcnemar
from mmfuse.metrics.summary import Answers
from mmfuse.record import answers
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.regression import Regression

TASK = Multiclass(["a", "b"])


def answering(right, target):
    """(N, 2) probabilities, for the true class where it is right."""
    said = np.where(right, target, 1 - target)
    return np.eye(2)[said] * 0.8 + 0.1


def runs(random, rate, n, number=1, target=None):
    target = random.integers(0, 2, n) if target is None else target
    return [Scored(np.arange(n), answering(random.random(n) < rate, target), target) for _ in range(number)]


def test_mcnemar_is_the_binomial_test():
    """5 against 16 is .02660370; the continuity-corrected chi-square would say .0291."""
    assert mcnemar(5, 16) == pytest.approx(0.02660370, abs=1e-8)
    assert mcnemar(5, 16) == pytest.approx(min(1, 2 * stats.binom.cdf(5, 21, 0.5)))
    assert mcnemar(10, 10) == 1


def test_identical_answers_do_not_differ(random):
    both = runs(random, 0.7, 200, 2)
    found = differ(TASK, "f1_macro", both, both, 200)
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_one_runs_accuracy_is_judged_by_mcnemar(random):
    target = random.integers(0, 2, 300)
    first, second = runs(random, 0.8, 300, target=target), runs(random, 0.7, 300, target=target)
    a, b = (r[0].answer.argmax(1) == target for r in (first, second))
    found = differ(TASK, "accuracy", first, second, 500)
    assert found.p == pytest.approx(stats.binomtest((a & ~b).sum(), (a ^ b).sum(), 0.5).pvalue)
    assert found.difference == pytest.approx(a.mean() - b.mean())


def test_the_interval_is_about_the_paired_differences_own(random):
    """Of a mean it is close to that of the normal approximation."""
    target = random.integers(0, 2, 500)
    first, second = runs(random, 0.8, 500, target=target), runs(random, 0.7, 500, target=target)
    d = (first[0].answer.argmax(1) == target) * 1.0 - (second[0].answer.argmax(1) == target)
    found = differ(TASK, "accuracy", first, second, 4000)
    reach = 1.96 * d.std() / np.sqrt(500)
    assert (found.low, found.high) == pytest.approx((d.mean() - reach, d.mean() + reach), abs=0.006)
    assert found.detectable == pytest.approx((1.96 + 0.8416) * d.std() / np.sqrt(500), rel=0.05)


def test_under_the_null_one_in_twenty_is_found():
    random, found, task = np.random.default_rng(0), [], Regression()
    for _ in range(400):
        target = random.normal(size=60)
        first, second = ([Scored(np.arange(60), target + random.normal(size=60), target)] for _ in range(2))
        found.append(differ(task, "mae", first, second, 200).p < 0.05)
    assert 0.02 < np.mean(found) < 0.09  # .05, with a deviation of .011


def test_under_the_null_mcnemar_finds_at_most_one_in_twenty():
    """1,000 pairs that are right 3 times in 4, each for itself: an exact test of few rows keeps under its level."""
    random, found = np.random.default_rng(0), []
    for _ in range(1000):
        first, second = random.random((2, 200)) < 0.75
        found.append(mcnemar(int((first & ~second).sum()), int((second & ~first).sum())) < 0.05)
    assert 0.02 < np.mean(found) < 0.065  # .05 at most, with a deviation of .007


def test_mcnemar_is_that_of_statsmodels(random):
    tables = pytest.importorskip("statsmodels.stats.contingency_tables", reason="statsmodels is not installed")
    for a, b in random.integers(0, 30, (50, 2)):
        theirs = tables.mcnemar(np.array([[7, a], [b, 9]]), exact=True).pvalue
        assert mcnemar(int(a), int(b)) == pytest.approx(min(1.0, theirs))


def test_holm_is_that_of_statsmodels(random):
    several = pytest.importorskip("statsmodels.stats.multitest", reason="statsmodels is not installed")
    p = random.random(12) ** 3
    assert holm(p.tolist()) == pytest.approx(several.multipletests(p, method="holm")[1].tolist())


def test_units_that_are_groups_are_drawn_whole(random):
    """Ten rows of each group say the same: the interval is as wide as that of a tenth of the rows."""
    target = np.repeat(random.integers(0, 2, 40), 10)
    right = [np.repeat(random.random(40) < rate, 10) for rate in (0.8, 0.6)]
    each = [[Scored(np.arange(400), answering(r, target), target)] for r in right]
    grouped = [[Scored(np.repeat(np.arange(40), 10), answering(r, target), target)] for r in right]
    tenth = [[Scored(np.arange(40), answering(r[::10], target[::10]), target[::10])] for r in right]
    wide, narrow, same = (differ(TASK, "accuracy", *both, 2000) for both in (grouped, each, tenth))
    assert wide.high - wide.low == pytest.approx(same.high - same.low, rel=0.1)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
    assert wide.p > narrow.p


def test_numbers_are_compared_as_well(random):
    target = random.normal(size=300)
    near, far = (Scored(np.arange(300), target + random.normal(size=300) * s, target) for s in (0.3, 0.6))
    found = differ(Regression(), "mae", [near], [far], 500)
    assert found.high < 0
    assert found.p < 0.01


def test_other_rows_are_refused(random):
    first, second = runs(random, 0.7, 50), runs(random, 0.7, 60)
    with pytest.raises(ValueError, match="same rows"):
        differ(TASK, "accuracy", first, second, 10)


def test_holm_is_monotone_and_never_above_one(random):
    p = random.random(20)
    raised = np.array(holm(p.tolist()))
    assert (raised >= p).all()
    assert raised.max() <= 1
    assert (np.diff(raised[np.argsort(p)]) >= 0).all()


def test_answers_come_back_as_they_were(tmp_path, random):
    said = {
        "test": Answers({"t": np.arange(3)}, {"t": random.random((3, 2))}, {"t": np.array([0, 1, -1])}),
        "views/text": Answers({"t": np.arange(2)}, {"t": random.random(2)}, {"t": np.array([np.nan, 1.0])}),
    }
    answers.save(tmp_path / "answers.npz", said)
    found = answers.load(tmp_path / "answers.npz")
    assert set(found) == set(said)
    for name, about in said.items():
        for part in ("rows", "answers", "targets"):
            np.testing.assert_array_equal(getattr(found[name], part)["t"], getattr(about, part)["t"])
