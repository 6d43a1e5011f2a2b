"""Scores are scikit-learn's and scipy's, their intervals the bootstrap's, and tasks ignore what has no label."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn import metrics as sk

from mmfuse.metrics import bootstrap, classification, regression
from mmfuse.metrics.bootstrap import draw, intervals, percentiles
from mmfuse.metrics.summary import Answers, summarise
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.regression import Regression

CLASSES = ("a", "b", "c", "d")


def guesses(seed, rows, classes=4, decimals=2):
    """Random probabilities, rounded so that some tie, that are right more often than not; and the true classes."""
    random = np.random.default_rng(seed)
    target = random.integers(classes, size=rows)
    logits = random.normal(size=(rows, classes)) + 1.5 * np.eye(classes)[target]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probabilities.round(decimals), target


def by_scikit_learn(probabilities, target):
    """Every figure of one sample, all classes counted."""
    predicted, k = probabilities.argmax(axis=1), probabilities.shape[1]
    found = {"accuracy": sk.accuracy_score(target, predicted)}
    for average in ("macro", "micro", "weighted"):
        common = {"labels": range(k), "average": average, "zero_division": 0}
        found[f"precision_{average}"] = sk.precision_score(target, predicted, **common)
        found[f"recall_{average}"] = sk.recall_score(target, predicted, **common)
        found[f"f1_{average}"] = sk.f1_score(target, predicted, **common)
    areas = [sk.roc_auc_score(target == c, probabilities[:, c]) for c in range(k) if 0 < sum(target == c) < len(target)]
    found["auroc"] = np.mean(areas) if areas else np.nan
    there = np.unique(target)
    found["average_precision"] = np.mean([sk.average_precision_score(target == c, probabilities[:, c]) for c in there])
    found["balanced_accuracy"] = sk.recall_score(target, predicted, labels=there, average="macro", zero_division=0)
    return found


class TestClassification:
    @pytest.mark.parametrize("rows", [3, 20, 300])
    def test_scores_are_scikit_learns(self, rows):
        probabilities, target = guesses(rows, rows)
        found = classification.scores(probabilities, target, CLASSES)
        predicted = probabilities.argmax(axis=1)
        for name, value in by_scikit_learn(probabilities, target).items():
            assert found[name] == pytest.approx(value), name
        assert found["confusion"] == sk.confusion_matrix(target, predicted, labels=range(4)).tolist()
        for i, name in enumerate(CLASSES):
            common = {"labels": [i], "average": None, "zero_division": 0}
            assert found["per_class"]["precision"][name] == pytest.approx(
                sk.precision_score(target, predicted, **common)[0]
            )
            assert found["per_class"]["recall"][name] == pytest.approx(sk.recall_score(target, predicted, **common)[0])
            assert found["per_class"]["f1"][name] == pytest.approx(sk.f1_score(target, predicted, **common)[0])
            assert found["per_class"]["support"][name] == (target == i).sum()

    def test_auroc_is_scikit_learns_one_versus_rest(self):
        probabilities, target = guesses(0, 200, decimals=16)
        found = classification.scores(probabilities, target, CLASSES)
        assert found["auroc"] == pytest.approx(sk.roc_auc_score(target, probabilities, multi_class="ovr"))

    def test_identities(self):
        probabilities, target = guesses(1, 100)
        found = classification.scores(probabilities, target, CLASSES)
        for name in ("precision_micro", "recall_micro", "f1_micro", "recall_weighted"):
            assert found[name] == pytest.approx(found["accuracy"]), name
        balanced = sk.balanced_accuracy_score(target, probabilities.argmax(axis=1))
        assert found["recall_macro"] == found["balanced_accuracy"] == pytest.approx(balanced)
        assert np.sum(found["confusion"], axis=1).tolist() == list(found["per_class"]["support"].values())

    def test_by_hand(self):
        """True a a b, said a b b, of three classes: c is neither, and counts in macro averages with 0."""
        found = classification.scores(np.eye(3)[[0, 1, 1]], np.array([0, 0, 1]), "abc")
        assert found["accuracy"] == pytest.approx(2 / 3)
        assert found["precision_macro"] == pytest.approx((1 + 1 / 2 + 0) / 3)
        assert found["recall_macro"] == pytest.approx((1 / 2 + 1 + 0) / 3)
        assert found["f1_weighted"] == pytest.approx((2 * 2 / 3 + 2 / 3) / 3)
        assert found["auroc"] == pytest.approx((3 / 4 + 3 / 4) / 2)
        assert found["balanced_accuracy"] == pytest.approx((1 / 2 + 1) / 2)  # c has no row, and does not count
        assert found["average_precision"] == pytest.approx(((1 / 2 * 1 + 1 / 2 * 2 / 3) + 1 / 2) / 2)
        assert found["confusion"] == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]

    def test_auroc_of_one_class_alone_is_unknown(self):
        assert np.isnan(classification.scores(np.eye(2)[[0, 1]], np.array([0, 0]), "ab")["auroc"])

    @pytest.mark.parametrize(("rows", "decimals"), [(2, 1), (6, 1), (30, 1), (200, 3)])
    @pytest.mark.parametrize("classes", [2, 4])
    def test_resampled_is_scikit_learn_on_the_rows_repeated(self, rows, decimals, classes):
        probabilities, target = guesses(rows, rows, classes, decimals)
        counts = np.random.default_rng(0).multinomial(rows, np.full(rows, 1 / rows), size=10)
        found = classification.resampled(probabilities, target, counts)
        for i, times in enumerate(counts):
            expected = by_scikit_learn(probabilities.repeat(times, axis=0), target.repeat(times))
            assert set(found) == set(expected) | {"ece", "brier", "nll"}  # which test_calibration.py holds
            for name, value in expected.items():
                assert found[name][i] == pytest.approx(value, nan_ok=True), (name, i)

    def test_resampled_where_every_row_counts_once_is_the_score(self):
        probabilities, target = guesses(3, 50)
        scores = classification.scores(probabilities, target, CLASSES)
        for name, values in classification.resampled(probabilities, target, np.ones((2, 50), int)).items():
            assert values == pytest.approx([scores[name]] * 2), name


class TestRegression:
    @pytest.fixture
    def values(self, random):
        target = random.normal(3.0, 2.0, size=40)
        return target + random.normal(size=40), target

    def test_scores_are_scikit_learns_and_scipys(self, values):
        answer, target = values
        found = regression.scores(answer, target)
        assert found["mae"] == pytest.approx(sk.mean_absolute_error(target, answer))
        assert found["pearson"] == pytest.approx(stats.pearsonr(answer, target).statistic)

    def test_by_hand(self):
        found = regression.scores(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]))
        assert found == {"mae": pytest.approx(2.0), "pearson": pytest.approx(1.0)}

    @pytest.mark.parametrize("constant", [0, 1])
    def test_correlation_with_a_constant_is_unknown(self, values, constant):
        values = list(values)
        values[constant] = np.full(40, 0.1)
        assert np.isnan(regression.scores(*values)["pearson"])
        assert np.isnan(regression.resampled(*values, np.ones((3, 40), int))["pearson"]).all()

    @pytest.mark.parametrize(("unit", "offset"), [(1.0, 0.0), (1e-7, 0.0), (1e6, 0.0), (1.0, 1e5)])
    def test_resampled_is_scipy_on_the_rows_repeated(self, values, unit, offset):
        """In whatever unit the target is measured."""
        answer, target = (unit * v + offset for v in values)
        counts = np.random.default_rng(0).multinomial(40, np.full(40, 1 / 40), size=25)
        found = regression.resampled(answer, target, counts)
        for i, times in enumerate(counts):
            x, y = answer.repeat(times), target.repeat(times)
            assert found["mae"][i] == pytest.approx(sk.mean_absolute_error(y, x))
            assert found["pearson"][i] == pytest.approx(stats.pearsonr(x, y).statistic, rel=1e-6)


class Accuracy:
    """Alone, since areas and calibration take most of the time."""

    def resampled(self, answer, target, counts):
        return {"accuracy": counts @ (answer.argmax(axis=1) == target) / counts.sum(axis=1)}


class TestBootstrap:
    TASK = Multiclass(["wrong", "right"])

    @staticmethod
    def run(right, rows=None):
        """A run that is right where `right` (N,) says so."""
        right = np.asarray(right)
        return np.arange(len(right)) if rows is None else rows, np.eye(2)[right.astype(int)], np.ones(len(right), int)

    def test_interval_of_accuracy_is_as_wide_as_the_normal_one(self):
        """Of 300 right out of 400: 0.75 plus and minus 1.96 sqrt(0.75 * 0.25 / 400)."""
        low, high = intervals(self.TASK, [self.run(np.arange(400) < 300)], samples=4000)["accuracy"]
        wide = 1.96 * np.sqrt(0.75 * 0.25 / 400)
        assert low == pytest.approx(0.75 - wide, abs=0.004)
        assert high == pytest.approx(0.75 + wide, abs=0.004)

    def test_a_wider_level_is_wider(self):
        runs = [self.run(np.arange(100) < 60)]
        narrow, wide = (intervals(self.TASK, runs, 1000, level)["accuracy"] for level in (0.5, 0.99))
        assert wide[0] < narrow[0] < 0.6 < narrow[1] < wide[1]

    def test_runs_of_the_same_rows_share_their_draws(self):
        """One is right where the other is wrong, so whatever the draw, they are right half the time."""
        right = np.arange(50) < 20
        assert intervals(self.TASK, [self.run(right), self.run(~right)], 200)["accuracy"] == pytest.approx((0.5, 0.5))
        same = [self.run(right)]
        assert intervals(self.TASK, same * 3, 200)["accuracy"] == pytest.approx(
            intervals(self.TASK, same, 200)["accuracy"]
        )

    def test_runs_of_other_rows_draw_for_themselves(self):
        """Two folds of 200 know what one split of 400 knows."""
        right = np.arange(200) < 150
        runs = [self.run(right), self.run(right, rows=np.arange(200, 400))]
        low, high = intervals(self.TASK, runs, 4000)["accuracy"]
        assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.75 * 0.25 / 400), abs=0.008)

    def test_draws_as_many_rows_as_there_are_as_often_as_asked(self, monkeypatch):
        monkeypatch.setattr(bootstrap, "CELLS", 30)  # three samples of ten rows at a time
        parts = list(draw([np.arange(10), np.arange(4)], samples=7))
        assert [part[0].shape for part in parts] == [(3, 10), (3, 10), (1, 10)]
        assert all((part[0].sum(axis=1) == 10).all() and (part[1].sum(axis=1) == 4).all() for part in parts)

    def test_draws_every_row_once_on_average(self):
        ((counts,),) = draw([np.arange(10)], samples=4000)
        np.testing.assert_allclose(counts.mean(axis=0), 1.0, atol=0.08)
        np.testing.assert_allclose(counts.var(axis=0), 0.9, atol=0.1)  # n p (1 - p)

    @pytest.mark.parametrize("size", [1, 5])
    def test_of_a_hundred_intervals_about_95_hold_the_truth(self, size):
        """60 groups of rows that are right together, 4 times in 5, drawn by group, of one row or of five.

        500 intervals: a share of .95 has a deviation of .01.
        """
        random, found = np.random.default_rng(0), []
        for _ in range(500):
            right = np.repeat(random.random(60) < 0.8, size)
            low, high = intervals(Accuracy(), [self.run(right, np.repeat(np.arange(60), size))], 400)["accuracy"]
            found.append(low <= 0.8 <= high)
        assert 0.92 <= np.mean(found) <= 0.97  # of 60 the percentile interval is somewhat short

    def test_of_rows_that_go_together_single_ones_tell_too_much(self):
        """The same groups, drawn by row: the interval is sqrt(5) too short, and holds the truth 6 times in 10."""
        random, found = np.random.default_rng(0), []
        for _ in range(200):
            low, high = intervals(Accuracy(), [self.run(np.repeat(random.random(60) < 0.8, 5))], 400)["accuracy"]
            found.append(low <= 0.8 <= high)
        assert np.mean(found) == pytest.approx(0.62, abs=0.1)  # P(|z| < 1.96 / sqrt(5))

    def test_percentiles_are_the_middle_and_leave_out_what_is_not_a_number(self):
        values = np.array([np.nan, *range(101), np.nan])
        assert percentiles(values, 0.9) == pytest.approx((5.0, 95.0))
        assert np.isnan(percentiles(np.array([np.nan]), 0.9)).all()

    def test_a_draw_without_labels_has_no_figures(self):
        """Row 0 is the one with a label, and the second draw misses it."""
        counts = np.array([[1, 1], [0, 2]])
        found = self.TASK.resampled(np.eye(2), np.array([0, -1]), counts)
        assert found["accuracy"].tolist() == pytest.approx([1.0, np.nan], nan_ok=True)
        found = Regression().resampled(np.array([1.0, 2.0]), np.array([3.0, np.nan]), counts)
        assert found["mae"].tolist() == pytest.approx([2.0, np.nan], nan_ok=True)


class TestSummary:
    @pytest.fixture
    def runs(self):
        """Three seeds on the same five rows, right 3, 4 and 5 times; the last row has no label."""
        said = ([0, 1, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0], [0, 1, 1, 1, 0, 0])
        target = np.array([0, 1, 1, 1, 0, -1])
        return [Answers({"kind": np.arange(6)}, {"kind": np.eye(2)[s]}, {"kind": target}) for s in said]

    def test_figures_have_mean_deviation_interval_and_values(self, runs):
        table = summarise(Multiclass("ab"), "kind", runs, samples=500)
        assert set(table["accuracy"]) == {"mean", "std", "ci95", "values"}
        assert table["accuracy"]["values"] == pytest.approx([0.6, 0.8, 1.0])
        assert table["accuracy"]["mean"] == pytest.approx(0.8)
        assert table["accuracy"]["std"] == pytest.approx(0.2)  # sqrt((0.04 + 0 + 0.04) / 2)
        low, high = table["accuracy"]["ci95"]
        assert 0.0 <= low < 0.8 < high <= 1.0

    def test_classes_and_confusion(self, runs):
        table = summarise(Multiclass("ab"), "kind", runs, samples=10)
        assert table["confusion"]["values"][0] == [[2, 0], [2, 1]]
        recall = table["per_class"]["recall"]["b"]
        assert recall["values"] == pytest.approx([1 / 3, 2 / 3, 1.0])
        assert recall["mean"] == pytest.approx(2 / 3)
        assert recall["std"] == pytest.approx(1 / 3)
        assert table["per_class"]["support"]["a"]["values"] == [2.0, 2.0, 2.0]

    def test_every_other_figure_has_an_interval(self, runs):
        table = summarise(Multiclass("ab"), "kind", runs, samples=10)
        assert {"precision_macro", "recall_macro", "f1_macro", "f1_weighted", "auroc"} < set(table)
        assert all(len(table[name]["ci95"]) == 2 for name in set(table) - {"per_class", "confusion"})

    def test_groups_are_drawn_whole(self, runs):
        """All five labelled rows are of one group, so that every draw is of the same rows."""
        one = [run._replace(groups={"kind": np.array([3, 3, 3, 3, 3, 3])}) for run in runs]
        table = summarise(Multiclass("ab"), "kind", one, samples=50)
        assert table["accuracy"]["ci95"] == pytest.approx([0.8, 0.8])

    def test_one_run_has_no_deviation(self):
        run = Answers({"y": np.arange(3)}, {"y": np.array([1.0, 2.0, 4.0])}, {"y": np.array([1.0, 3.0, 4.0])})
        table = summarise(Regression(), "y", [run], samples=100)
        assert table["mae"]["mean"] == pytest.approx(1 / 3)
        assert np.isnan(table["mae"]["std"])
        assert set(table) == {"mae", "pearson"}


class TestMulticlass:
    TASK = Multiclass("abc")

    def test_loss_is_the_mean_over_the_rows_with_a_label(self):
        prediction = torch.tensor([[1.0, 2.0, 0.5], [0.0, 0.0, 9.0], [3.0, 1.0, -1.0]], requires_grad=True)
        loss = self.TASK.loss(prediction, torch.tensor([1, -1, 2]))
        logits = prediction.detach().numpy()
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        assert loss.item() == pytest.approx(-(np.log(chances[0, 1]) + np.log(chances[2, 2])) / 2, rel=1e-6)
        loss.backward()
        assert not prediction.grad[1].any()

    def test_loss_without_labels_is_zero_and_so_is_its_gradient(self):
        prediction = torch.randn(3, 3, requires_grad=True)
        loss = self.TASK.loss(prediction, torch.tensor([-1, -1, -1]))
        loss.backward()
        assert loss.item() == 0
        assert torch.equal(prediction.grad, torch.zeros(3, 3))

    def test_answers_probabilities(self):
        answer = self.TASK.answer(torch.tensor([[0.0, np.log(2.0), np.log(5.0)]]))
        np.testing.assert_allclose(answer, [[1 / 8, 2 / 8, 5 / 8]], rtol=1e-6)

    def test_scores_the_rows_with_a_label(self):
        assert self.TASK.score(np.eye(3), np.array([0, 2, -1]))["accuracy"] == 0.5

    def test_needs_two_classes(self):
        with pytest.raises(ValueError, match="at least two classes"):
            Multiclass(["only"])


class TestRegressionTask:
    TARGET = np.array([1.0, np.nan, 3.0, 8.0], dtype=np.float32)  # mean 4, variance (9 + 1 + 16) / 3

    def test_learns_mean_and_deviation_from_the_rows_with_a_label(self):
        task = Regression().fitted(self.TARGET)
        assert task.mean == pytest.approx(4.0)
        assert task.std == pytest.approx(np.sqrt(26 / 3))

    def test_answers_in_the_targets_own_unit(self):
        task = Regression().fitted(self.TARGET)
        standardised = (torch.tensor([1.0, 3.0, 8.0]) - 4.0) / np.sqrt(26 / 3)
        np.testing.assert_allclose(task.answer(standardised[:, None].float()), [1.0, 3.0, 8.0], rtol=1e-6)
        assert task.loss(standardised[:, None].float(), torch.tensor([1.0, 3.0, 8.0])).item() == pytest.approx(
            0, abs=1e-6
        )

    def test_loss_is_the_mean_over_the_rows_with_a_label(self):
        prediction = torch.tensor([[0.5], [100.0], [-1.0]], requires_grad=True)
        loss = Regression(mean=1.0, std=2.0).loss(prediction, torch.tensor([3.0, np.nan, 1.0]))
        assert loss.item() == pytest.approx((abs(0.5 - 1.0) + abs(-1.0 - 0.0)) / 2)
        loss.backward()
        assert prediction.grad.flatten().tolist() == pytest.approx([-0.5, 0.0, -0.5])

    def test_loss_without_labels_is_zero_and_so_is_its_gradient(self):
        prediction = torch.randn(2, 1, requires_grad=True)
        loss = Regression().loss(prediction, torch.full((2,), torch.nan))
        loss.backward()
        assert loss.item() == 0
        assert torch.equal(prediction.grad, torch.zeros(2, 1))

    def test_a_constant_target_is_left_undivided(self):
        task = Regression().fitted(np.array([2.0, 2.0], dtype=np.float32))
        assert (task.mean, task.std) == (2.0, 1.0)

    def test_scores_the_rows_with_a_label(self):
        found = Regression().score(np.array([1.0, 5.0, 3.0, 4.0]), self.TARGET)
        assert found["mae"] == pytest.approx((0 + 0 + 4) / 3)


@pytest.mark.parametrize(
    "score",
    [
        partial(Multiclass("ab").score, np.full((2, 2), 0.5), np.array([-1, -1])),
        partial(Regression().score, np.zeros(2), np.full(2, np.nan)),
    ],
    ids=["multiclass", "regression"],
)
def test_without_any_label_figures_are_unknown(score):
    """A second task may lack labels in a split that is made for the first."""
    assert all(np.isnan(v) for name, v in score().items() if name not in ("per_class", "confusion"))


def test_a_target_without_any_label_leaves_the_task_as_it_is():
    task = Regression().fitted(np.full(3, np.nan, dtype=np.float32))
    assert (task.mean, task.std) == (0.0, 1.0)
