"""Calibration figures are those of scikit-learn and torchmetrics, their edges those of the papers."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn import metrics as sk
from torchmetrics.functional.classification import multiclass_calibration_error

from mmfuse.metrics import calibration
from mmfuse.metrics.calibrated import calibrated
from mmfuse.metrics.summary import Answers
from mmfuse.tasks.figures import monitors
from mmfuse.tasks.multiclass import Multiclass


def said(random, rows=400, classes=4, sharpness=1.0):
    """Logits, their probabilities, and classes drawn by the probabilities of the logits divided by the sharpness."""
    logits = 2 * random.normal(size=(rows, classes))
    true = np.array([random.choice(classes, p=p) for p in softmax(logits, axis=1)])
    return softmax(sharpness * logits, axis=1), true


class TestFigures:
    def test_ece_is_torchmetrics(self, random):
        probabilities, true = said(random)
        arguments = torch.from_numpy(probabilities), torch.from_numpy(true)
        expected = multiclass_calibration_error(*arguments, num_classes=4, n_bins=15, norm="l1")
        assert calibration.scores(probabilities, true)["ece"] == pytest.approx(expected.item(), rel=1e-6)

    def test_brier_and_nll_are_scikit_learns(self, random):
        probabilities, true = said(random)
        found = calibration.scores(probabilities, true)
        assert found["nll"] == pytest.approx(sk.log_loss(true, probabilities))
        each = [sk.brier_score_loss(true == k, probabilities[:, k]) for k in range(4)]
        assert found["brier"] == pytest.approx(sum(each))

    def test_by_hand(self):
        """Said at .9 and right, at .9 and wrong, at .6 and right; .9 is in the fourteenth bin, .6 in the ninth."""
        probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
        found = calibration.scores(probabilities, np.array([0, 1, 1]))
        assert found["ece"] == pytest.approx((2 * abs(1 / 2 - 0.9) + 1 * abs(1 - 0.6)) / 3)
        assert found["brier"] == pytest.approx((2 * 0.01 + 2 * 0.81 + 2 * 0.16) / 3)
        assert found["nll"] == pytest.approx(-(np.log(0.9) + np.log(0.1) + np.log(0.6)) / 3)

    @pytest.mark.parametrize("edge", range(8, 16))
    def test_an_edge_is_of_the_bin_below_it(self, edge):
        """Intervals are (l, r], so k / 15 is in bin k - 1 and what is just above in bin k."""
        for confidence, place in ((edge / 15, edge - 1), (np.nextafter(edge / 15, 2), edge)):
            if confidence <= 1:
                found = calibration.reliability(np.array([[confidence, 1 - confidence]]), np.array([0]))
                assert np.flatnonzero(found.rows).tolist() == [place]
                assert found.confidence[place] == confidence
                assert found.accuracy[place] == 1.0

    def test_what_is_said_surely_and_falsely_has_a_finite_nll(self):
        found = calibration.scores(np.eye(2), np.array([1, 0]))
        assert found == {"ece": 1.0, "brier": 2.0, "nll": pytest.approx(52 * np.log(2))}  # the float's own precision

    @pytest.mark.parametrize("rows", [5, 60])
    def test_resampled_is_the_score_of_the_rows_repeated(self, random, rows):
        probabilities, true = said(random, rows)
        counts = random.multinomial(rows, np.full(rows, 1 / rows), size=10)
        found = calibration.resampled(probabilities, true, counts)
        for r, times in enumerate(counts):
            drawn, wanted = np.repeat(probabilities, times, axis=0), np.repeat(true, times)
            confidence, right = torch.from_numpy(drawn), torch.from_numpy(wanted)
            ece = multiclass_calibration_error(confidence, right, num_classes=4, n_bins=15)
            assert found["ece"][r] == pytest.approx(ece.item(), rel=1e-6)
            assert found["nll"][r] == pytest.approx(sk.log_loss(wanted, drawn, labels=range(4)))
            assert found["brier"][r] == pytest.approx(((drawn - np.eye(4)[wanted]) ** 2).sum(axis=1).mean())

    def test_a_draw_without_rows_has_none(self):
        found = calibration.resampled(np.full((2, 2), 0.5), np.array([0, 1]), np.zeros((1, 2), int))
        assert all(np.isnan(values).all() for values in found.values())

    def test_they_may_be_watched(self):
        known = monitors({"y": Multiclass("ab")}, {"y": np.zeros(3, int)}, [], [])
        assert {"val/ece", "val/brier", "val/nll", "val/balanced_accuracy", "val/average_precision"} < set(known)


class TestTemperature:
    def test_undoes_what_the_logits_were_multiplied_with(self, random):
        """Of the same rows three times as sharp it is three times as high; and drawn by p, about 1 for p itself."""
        probabilities, true = said(random, rows=4000)
        plain = calibration.temperature(probabilities, true)
        assert plain == pytest.approx(1.0, abs=0.06)
        sharp = softmax(3 * np.log(probabilities), axis=1)
        assert calibration.temperature(sharp, true) == pytest.approx(3 * plain, rel=1e-6)

    def test_has_the_least_nll(self, random):
        """Against all temperatures of a fine grid."""
        probabilities, true = said(random, rows=200, sharpness=2.5)
        found = calibration.temperature(probabilities, true)

        def nll(t):
            return sk.log_loss(true, softmax(np.log(probabilities) / t, axis=1))

        grid = np.geomspace(0.2, 20, 500)
        assert nll(found) <= min(map(nll, grid)) + 1e-12

    def test_lessens_the_calibration_error_and_changes_no_decision(self, random):
        probabilities, true = said(random, rows=2000, sharpness=4.0)
        calm = calibration.tempered(probabilities, calibration.temperature(probabilities[:1000], true[:1000]))
        np.testing.assert_allclose(calm.sum(axis=1), 1.0)
        assert (calm.argmax(axis=1) == probabilities.argmax(axis=1)).all()
        before, after = (calibration.scores(p[1000:], true[1000:])["ece"] for p in (probabilities, calm))
        assert after < before / 3

    def test_stays_finite(self):
        sure = np.array([[0.9, 0.1], [0.2, 0.8]])
        assert calibration.temperature(sure, np.array([0, 1])) == 0.01  # all right: the surer, the better
        assert calibration.temperature(sure, np.array([1, 0])) == 100.0  # all wrong: the less sure
        assert np.isfinite(calibration.tempered(np.eye(2), 0.01)).all()
        assert np.isnan(calibration.temperature(np.empty((0, 2)), np.empty(0, int)))


class TestCalibrated:
    @staticmethod
    def run(probabilities, true):
        return Answers({"y": np.arange(len(true))}, {"y": probabilities}, {"y": true})

    def test_learns_from_validation_and_judges_the_test(self, random):
        """The validation rows are three times too sure and the test rows are not, which tempered are too unsure."""
        sharp, true = said(random, rows=3000, sharpness=3.0)
        sound, asked = said(random, rows=800)
        found = calibrated("y", [self.run(sharp, true)], [self.run(sound, asked)], samples=300)
        assert found["temperature"]["mean"] == pytest.approx(3.0, abs=0.2)
        tempered = softmax(np.log(sound) / found["temperature"]["mean"], axis=1)
        arguments = torch.from_numpy(tempered), torch.from_numpy(asked)
        error = multiclass_calibration_error(*arguments, num_classes=4, n_bins=15).item()
        assert found["ece_calibrated"]["values"] == [pytest.approx(error, rel=1e-6)]
        low, high = found["ece_calibrated"]["ci95"]
        assert 0.1 < low < error < high

    def test_each_run_has_its_own(self, random):
        runs = [self.run(*said(random, rows=2000, sharpness=s)) for s in (1.0, 2.0)]
        found = calibrated("y", runs, runs, samples=20)
        assert found["temperature"]["values"] == pytest.approx([1.0, 2.0], abs=0.15)
        assert found["temperature"]["std"] == pytest.approx(np.std(found["temperature"]["values"], ddof=1))

    def test_what_has_no_label_takes_no_part(self, random):
        probabilities, true = said(random, rows=300, sharpness=2.0)
        plain = self.run(probabilities, true)
        more = self.run(np.vstack([probabilities, probabilities[::-1]]), np.append(true, np.full(300, -1)))
        ours, theirs = (calibrated("y", [run], [run], samples=5) for run in (plain, more))
        for name in ("temperature", "ece_calibrated"):
            assert ours[name]["mean"] == theirs[name]["mean"]

    def test_is_unknown_without_a_labelled_validation_row(self, random):
        probabilities, true = said(random, rows=20)
        found = calibrated("y", [self.run(probabilities, np.full(20, -1))], [self.run(probabilities, true)], samples=5)
        assert np.isnan([found["temperature"]["mean"], found["ece_calibrated"]["mean"]]).all()
        assert np.isnan(found["ece_calibrated"]["ci95"]).all()
