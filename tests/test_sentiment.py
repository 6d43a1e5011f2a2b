"""Sentiment figures are what papers mean by them, in both ways, and CMU-MOSI's constant floors are its own."""

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn import metrics as sk

from mmfuse.config.catalog import Catalog
from mmfuse.data.target_columns import target
from mmfuse.errors import ConfigError, DataError
from mmfuse.metrics import sentiment
from mmfuse.tasks.figures import monitors
from mmfuse.tasks.regression import Regression
from mmfuse.tasks.sentiment import Sentiment

SCALE = {"kind": "regression", "scale": "sentiment"}


def said(random, rows=200):
    """Labels in fifths, some 0, as CMU-MOSI has them, and guesses of which some are 0, some off the scale."""
    true = random.integers(-15, 16, size=rows) / 5
    true[: rows // 8] = 0.0
    return np.round(true + 1.2 * random.normal(size=rows), 1), true


def written_out(answer, true):
    """Row by row, and by scikit-learn."""
    pairs = list(zip(answer.tolist(), true.tolist(), strict=True))
    has0 = [(a >= 0, t >= 0) for a, t in pairs]
    non0 = [(a > 0, t > 0) for a, t in pairs if t != 0]
    found = {}
    for name, each in (("has0", has0), ("non0", non0)):
        found[f"acc2_{name}"] = np.mean([a == t for a, t in each]) if each else np.nan
        of_truth = [t for _, t in each], [a for a, _ in each]
        found[f"f1_{name}"] = sk.f1_score(*of_truth, average="weighted", zero_division=0) if each else np.nan
    for name, most in (("acc5", 2), ("acc7", 3)):
        found[name] = np.mean([round(min(max(a, -most), most)) == round(min(max(t, -most), most)) for a, t in pairs])
    return found


class TestFigures:
    @pytest.mark.parametrize("rows", [1, 9, 200])
    def test_are_those_written_out(self, random, rows):
        answer, true = said(random, rows)
        assert sentiment.scores(answer, true) == pytest.approx(written_out(answer, true), nan_ok=True)

    def test_by_hand(self):
        """A neutral row said to be a little positive is right with 0 and does not count without it."""
        answer = np.array([0.2, -0.1, 0.0, 0.0, 2.6, -9.0])
        true = np.array([0.0, 0.0, 0.4, -1.0, 2.0, -2.6])
        found = sentiment.scores(answer, true)
        assert found["acc2_has0"] == pytest.approx(4 / 6)  # 0.2 of 0, 0 of 0.4, 2.6, -9
        assert found["acc2_non0"] == pytest.approx(3 / 4)  # 0 is not positive: right of -1, wrong of 0.4
        assert found["acc7"] == pytest.approx(4 / 6)  # 0 and 0, 0 and 0, 0 and 0, -3 and -3; 3 is not 2, 0 is not -1
        assert found["acc5"] == pytest.approx(5 / 6)  # 2.6 and -2.6 are clipped to 2 and -2

    def test_halves_go_to_the_even_number(self):
        found = sentiment.scores(np.array([0.5, 1.5, 2.5]), np.array([0.0, 2.0, 2.0]))
        assert (found["acc7"], found["acc5"]) == (1.0, 1.0)

    def test_floors_of_cmu_mosi(self):
        """Its 686 test rows are 379 negative, 30 neutral and 277 positive: 55.25 and 57.8 % for who says negative."""
        true = np.repeat([-1.2, 0.0, 1.2], [379, 30, 277])
        found = sentiment.scores(np.full(686, -0.4), true)
        assert found["acc2_has0"] == pytest.approx(0.5525, abs=5e-5)
        assert found["acc2_non0"] == pytest.approx(0.578, abs=5e-4)
        assert found["f1_has0"] == pytest.approx(0.5525 * 2 * 379 / (379 + 686), abs=5e-5)  # the other class has 0

    def test_the_labels_are_the_truth_of_f1(self, random):
        answer, true = said(random)
        swapped = sk.f1_score(answer >= 0, true >= 0, average="weighted")
        found = sentiment.scores(answer, true)["f1_has0"]
        assert found == pytest.approx(sk.f1_score(true >= 0, answer >= 0, average="weighted"))
        assert found != swapped

    @pytest.mark.parametrize("rows", [3, 40])
    def test_resampled_is_the_score_of_the_rows_repeated(self, random, rows):
        answer, true = said(random, rows)
        counts = random.multinomial(rows, np.full(rows, 1 / rows), size=20)
        found = sentiment.resampled(answer, true, counts)
        for r, times in enumerate(counts):
            expected = written_out(answer.repeat(times), true.repeat(times))
            assert {name: values[r] for name, values in found.items()} == pytest.approx(expected, nan_ok=True)

    def test_without_a_sided_label_that_side_is_unknown(self):
        found = sentiment.scores(np.ones(2), np.zeros(2))
        assert (found["acc2_has0"], found["acc7"]) == (1.0, 0.0)
        assert np.isnan([found["acc2_non0"], found["f1_non0"]]).all()


class TestTask:
    def test_is_a_regression_that_is_scored_further(self, random):
        answer, true = said(random)
        true[3] = np.nan
        plain, task = Regression().fitted(true), Sentiment().fitted(true)
        assert (task.mean, task.std) == (plain.mean, plain.std)
        assert task.headline == ("mae", "pearson")
        known = ~np.isnan(true)
        assert task.score(answer, true) == pytest.approx(
            plain.score(answer, true) | written_out(answer[known], true[known])
        )

    def test_ignores_what_has_no_label(self):
        task = Sentiment()
        counts = np.array([[1, 1], [0, 2]])
        found = task.resampled(np.array([1.0, 2.0]), np.array([1.0, np.nan]), counts)
        assert found["acc7"].tolist() == pytest.approx([1.0, np.nan], nan_ok=True)
        assert all(np.isnan(v) for v in task.score(np.zeros(2), np.full(2, np.nan)).values())

    def test_may_be_watched(self):
        known = monitors({"y": Sentiment()}, {"y": np.zeros(3, np.float32)}, [], [])
        assert {"val/mae", "val/acc2_has0", "val/acc2_non0", "val/acc7"} < set(known)


class TestColumn:
    def read(self, *cells, **about):
        return target(pd.DataFrame({"y": cells}), "y", SCALE | about)

    def test_makes_the_task(self):
        task, values = self.read(-3.0, 0.5, None, 3.0)
        assert type(task) is Sentiment
        assert values.tolist() == pytest.approx([-3.0, 0.5, np.nan, 3.0], nan_ok=True)
        assert type(self.read(1.0, 2.0, scale=None)[0]) is Regression

    def test_refuses_what_is_off_the_scale(self):
        with pytest.raises(DataError, match=r"'y', row 1: 4\.0 is not on the scale of sentiment, -3 to 3"):
            self.read(1.0, 4.0)

    def test_refuses_another_kind_of_task(self):
        with pytest.raises(
            ConfigError, match=r"tasks\.y\.scale is of kind: regression, and this is of kind: multiclass"
        ):
            self.read(1.0, 2.0, kind="multiclass")

    @pytest.mark.parametrize(("dataset", "scored"), [("mosi", True), ("mosi_multibench", True), ("sims", False)])
    def test_of_the_published_data_sets(self, dataset, scored):
        """The labels of CH-SIMS are from -1 to 1."""
        about = yaml.safe_load(Catalog().find("dataset", dataset).read_text())["tasks"]["sentiment"]
        task, _ = target(pd.DataFrame({about["column"]: [-1.0, 0.0, 1.0]}), "sentiment", about)
        assert isinstance(task, Sentiment) == scored
