"""What the rules say of fusions that take each modality's decision among classes."""

import numpy as np
import pytest
import torch

from mmfuse.encoders.mlp import MLP
from mmfuse.fusion.average import AverageFusion
from mmfuse.fusion.maximum import MaximumFusion
from mmfuse.fusion.product import ProductFusion
from mmfuse.fusion.vote import VoteFusion
from mmfuse.models.feature import FeatureFusion
from mmfuse.models.late import LateFusion
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.multilabel import Multilabel
from mmfuse.tasks.regression import Regression
from mmfuse.types import Signal

RULES = [AverageFusion, lambda dims: AverageFusion(dims, of="logits"), ProductFusion, MaximumFusion, VoteFusion]
NAMES = ["average", "average-logits", "product", "maximum", "vote"]
DIMS = dict.fromkeys(["text", "image", "audio"], 4)


def decisions(probabilities, present=None):
    """(M, B, C) -> signals of logits, each modality's off by a constant of its own; NaN where absent."""
    found = {}
    for column, (modality, p) in enumerate(zip(DIMS, probabilities, strict=False)):
        there = np.ones(len(p), bool) if present is None else np.asarray(present)[:, column]
        logits = np.where(there[:, None], np.log(p) + column - 1, np.nan)
        found[modality] = Signal.vector(torch.tensor(logits), torch.tensor(there))
    return found


def fused(fusion, probabilities, present=None):
    """(B, C) probabilities, as a task makes them from logits."""
    signals = decisions(probabilities, present)
    return fusion.eval()(signals).pooled().softmax(dim=1).numpy()


def dims(number):
    return dict(list(DIMS.items())[:number])


def close(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-9, rtol=1e-7)


@pytest.fixture
def p(random):
    """(M, B, C)"""
    return random.dirichlet(np.ones(4), size=(3, 30))


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
class TestEveryRule:
    def test_one_modality_decides_as_it_is(self, rule, p):
        close(fused(rule(dims(1)), p[:1]), p[0])

    def test_who_is_absent_decides_nothing(self, rule, p):
        close(fused(rule(DIMS), p, [[True, True, False]] * 30), fused(rule(dims(2)), p[:2]))
        close(fused(rule(DIMS), p, [[False, True, False]] * 30), p[1])

    def test_a_row_without_any_has_all_classes_alike(self, rule, p):
        close(fused(rule(DIMS), p, np.zeros((30, 3), bool)), np.full((30, 4), 0.25))

    def test_does_not_mind_the_order_of_modalities(self, rule, p):
        close(fused(rule(DIMS), p[[2, 0, 1]]), fused(rule(DIMS), p))

    def test_who_is_certain_and_contradicted_spoils_nothing(self, rule):
        logits = torch.tensor([[[400.0, 0.0, 0.0, 0.0]], [[0.0, 400.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 0.0]]])
        logits.requires_grad_()
        signals = {m: Signal.vector(x, torch.tensor([True])) for m, x in zip(DIMS, logits, strict=True)}
        for mode in (True, False):
            decided = rule(DIMS).train(mode)(signals).pooled()
            decided[:, 2].sum().backward()
            assert decided.isfinite().all()
            assert logits.grad.isfinite().all()

    def test_what_comes_out_is_a_logarithm_of_probabilities(self, rule, p):
        decided = rule(DIMS).eval()(decisions(p)).pooled()
        close(decided.exp().sum(dim=1).numpy(), np.ones(30))

    def test_is_of_one_width(self, rule):
        with pytest.raises(ValueError, match=r"equally wide.*model=late"):
            rule({"text": 3, "image": 4})

    def test_fuses_no_features(self, rule):
        encoders = {m: MLP(5, dim=4) for m in DIMS}
        with pytest.raises(ValueError, match="decisions among classes, not features: model=late"):
            FeatureFusion(encoders, {"kind": Multiclass("abc")}, rule)

    @pytest.mark.parametrize("task", [Regression(), Multilabel("abc")], ids=["regression", "multilabel"])
    def test_decides_for_one_class_only(self, rule, task):
        encoders = {m: MLP(5, dim=4) for m in DIMS}
        with pytest.raises(ValueError, match="which the task 'other' does not ask for: fusion=mean"):
            LateFusion(encoders, {"kind": Multiclass("abc"), "other": task}, rule)

    def test_in_model_late_is_the_prediction(self, rule, sequences):
        encoders = {m: MLP(5, dim=4) for m in DIMS}
        model = LateFusion(encoders, {"kind": Multiclass("abc")}, rule).eval()
        signals = sequences(dict.fromkeys(DIMS, 5), {m: [2, 1, 3] for m in DIMS})
        torch.testing.assert_close(model(signals).predictions["kind"].exp().sum(dim=1), torch.ones(3))


class TestAverage:
    def test_of_probabilities(self, p):
        close(fused(AverageFusion(DIMS), p), p.mean(axis=0))

    def test_of_logits_is_the_geometric_mean(self, p):
        product = p.prod(axis=0) ** (1 / 3)
        close(fused(AverageFusion(DIMS, of="logits"), p), product / product.sum(axis=1, keepdims=True))

    def test_is_over_those_present(self, p):
        present = np.random.default_rng(1).random((30, 3)) < 0.6
        present[:, 0] |= ~present.any(axis=1)
        expected = np.einsum("bm,mbc->bc", present / present.sum(axis=1, keepdims=True), p)
        close(fused(AverageFusion(DIMS), p, present), expected)


class TestProduct:
    def test_is_bayes_where_modalities_are_independent_given_the_class(self, random):
        """p(y | a, b, c) from the joint table of y and three modalities of 2, 3 and 5 values."""
        prior = np.array([0.5, 0.2, 0.2, 0.1])
        given = [random.dirichlet(np.ones(n), size=4) for n in (2, 3, 5)]  # (C, n) p(value | y)
        joint = np.einsum("y,ya,yb,yc->abcy", prior, *given)
        expected = joint / joint.sum(axis=3, keepdims=True)
        alone = [(prior[:, None] * g / (prior @ g)).T for g in given]  # (n, C) p(y | value)
        values = np.stack(np.meshgrid(range(2), range(3), range(5), indexing="ij"), axis=-1).reshape(-1, 3)
        p = np.stack([alone[m][values[:, m]] for m in range(3)])  # (M, 30, C)
        fusion = ProductFusion(DIMS, prior=prior.tolist()).double()
        np.testing.assert_allclose(fused(fusion, p), expected.reshape(-1, 4), atol=1e-6)
        two = joint.sum(axis=2)
        two = (two / two.sum(axis=2, keepdims=True))[values[:, 0], values[:, 1]]
        np.testing.assert_allclose(fused(fusion, p, [[True, True, False]] * 30), two, atol=1e-6)

    def test_by_hand(self):
        """(.8, .2) and (.6, .4) under a prior of (.8, .2): .48 / .8 to .08 / .2, so .6 to .4."""
        fusion = ProductFusion(dict.fromkeys(["text", "image"], 2), prior=[8.0, 2.0])
        np.testing.assert_allclose(fused(fusion, np.array([[[0.8, 0.2]], [[0.6, 0.4]]])), [[0.6, 0.4]], atol=1e-6)

    def test_without_a_prior_multiplies(self, p):
        product = p.prod(axis=0)
        close(fused(ProductFusion(DIMS), p), product / product.sum(axis=1, keepdims=True))

    @pytest.mark.parametrize("prior", [[0.5, 0.5], [0.5, 0.5, 0.0, 0.0], [1.0, 1.0, 1.0, -1.0]], ids=str)
    def test_refuses_a_prior_that_cannot_be(self, prior):
        with pytest.raises(ValueError, match="above 0 is needed for each of 4 classes"):
            ProductFusion(DIMS, prior=prior)


class TestMaximum:
    def test_by_hand(self):
        p = np.array([[[0.7, 0.2, 0.05, 0.05]], [[0.1, 0.5, 0.2, 0.2]], [[0.25, 0.25, 0.25, 0.25]]])
        close(fused(MaximumFusion(DIMS), p), np.array([[0.7, 0.5, 0.25, 0.25]]) / 1.7)


class TestVote:
    def test_the_most_votes_win_however_sure_the_others_are(self):
        p = np.array([[[0.98, 0.01, 0.005, 0.005]], [[0.3, 0.31, 0.2, 0.19]], [[0.3, 0.31, 0.2, 0.19]]])
        assert p.mean(axis=0).argmax() == 0
        assert fused(VoteFusion(DIMS), p).argmax() == 1

    def test_a_tie_of_three_goes_to_the_higher_sum_of_probabilities(self):
        """One vote each for 0, 1 and 2, sums of .6, .62 and .75; most of all, 1.03, for 3 that has no vote."""
        p = np.array([[[0.4, 0.05, 0.16, 0.39]], [[0.1, 0.46, 0.1, 0.34]], [[0.1, 0.11, 0.49, 0.3]]])
        assert p.sum(axis=0).argmax() == 3
        assert fused(VoteFusion(DIMS), p).argmax() == 2

    def test_a_tie_in_everything_goes_to_the_earlier_class(self):
        p = np.array([[[0.1, 0.2, 0.6, 0.1]], [[0.1, 0.6, 0.2, 0.1]]])
        decided = fused(VoteFusion(dims(2)), p)
        assert decided[0, 1] == pytest.approx(decided[0, 2], abs=1e-12)
        assert decided.argmax() == 1

    def test_is_the_vote_of_numpy(self, p):
        """Classes in the order of votes, then of summed probability."""
        votes = np.stack([(p.argmax(axis=2) == c).sum(axis=0) for c in range(4)], axis=1)
        expected = [max(range(4), key=lambda c: (votes[b, c], p[:, b, c].sum(), -c)) for b in range(30)]
        decided = fused(VoteFusion(DIMS), p)
        assert decided.argmax(axis=1).tolist() == expected
        close(decided, 4 / 5 * votes / 3 + p.mean(axis=0) / 5)

    def test_is_trained_by_the_mean(self, p):
        decided = VoteFusion(DIMS).train()(decisions(p)).pooled()
        close(decided.exp().numpy(), p.mean(axis=0))
