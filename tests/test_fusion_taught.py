"""Decisions that are told what is right while they learn: trusted, quality-aware and predictive fusion."""

import numpy as np
import pytest
import torch
from scipy.special import digamma, gammaln

from mmfuse.balance.plain import Plain
from mmfuse.encoders.mlp import MLP
from mmfuse.fusion.pdf import PdfFusion
from mmfuse.fusion.qmf import QmfFusion, misranked
from mmfuse.fusion.tmc import TmcFusion
from mmfuse.learner.learner import Learner
from mmfuse.models.feature import FeatureFusion
from mmfuse.models.late import LateFusion
from mmfuse.schedules.synchronous import Synchronous
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.types import Batch, Signal

DIMS = {"text": 4, "image": 4, "audio": 4}
TASK = Multiclass(["a", "b", "c", "d"])
ROWS = torch.arange(6)
TARGET = torch.tensor([0, 1, 2, 3, -1, 2])
PRESENT = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0], [1, 1, 0], [1, 1, 1], [0, 0, 0]], bool)


@pytest.fixture
def logits(random):
    """(B, M, C)"""
    return random.normal(scale=2, size=(6, 3, 4))


def signals(logits, present=PRESENT):
    there = torch.tensor(present)
    data = torch.tensor(logits).masked_fill(~there[:, :, None], torch.nan)
    return {m: Signal.vector(data[:, k], there[:, k]) for k, m in enumerate(DIMS)}


def softplus(x):
    return np.log1p(np.exp(x))


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)


def own_cross_entropies(logits):
    """The sum over modalities of the mean over the rows that have the modality and a label."""
    known = PRESENT & (TARGET.numpy() >= 0)[:, None]
    right = np.take_along_axis(np.log(softmax(logits)), TARGET.clamp(min=0).numpy()[:, None, None], axis=2)[..., 0]
    return sum(-right[known[:, m], m].mean() for m in range(3))


class TestTmc:
    @staticmethod
    def dempster(first, second):
        """Two opinions (beliefs (C,), doubt) as Dempster's rule has them, class by class."""
        (b1, u1), (b2, u2) = first, second
        conflict = sum(b1[i] * b2[j] for i in range(4) for j in range(4) if i != j)
        return (b1 * b2 + b1 * u2 + b2 * u1) / (1 - conflict), u1 * u2 / (1 - conflict)

    def test_is_dempsters_rule_one_modality_after_another(self, logits):
        found = TmcFusion(DIMS)(signals(logits)).pooled().exp().numpy()
        for row in range(5):
            opinion = np.zeros(4), 1.0
            for m in np.flatnonzero(PRESENT[row]):
                evidence = softplus(logits[row, m])
                opinion = self.dempster(opinion, (evidence / (evidence.sum() + 4), 4 / (evidence.sum() + 4)))
            belief, doubt = opinion
            assert belief.sum() + doubt == pytest.approx(1)
            np.testing.assert_allclose(found[row], belief + doubt / 4, atol=1e-9)  # the Dirichlet's mean

    def test_loss_is_the_papers(self, logits):
        fusion = TmcFusion(DIMS, annealing=10)
        fusion.at_epoch(4)
        losses = fusion.fuse(signals(logits)).lesson(TASK, TARGET, ROWS)

        def wrong(evidence, y):
            alpha = evidence + 1
            other = np.where(np.arange(4) == y, 1.0, alpha)
            kl = gammaln(other.sum()) - gammaln(other).sum() - gammaln(4)
            kl += ((other - 1) * (digamma(other) - digamma(other.sum()))).sum()
            return digamma(alpha.sum()) - digamma(alpha[y]) + 0.4 * kl

        views = fused = 0.0
        for row in (0, 1, 2, 3, 5):
            evidence = softplus(logits[row]) * PRESENT[row][:, None]
            views += sum(wrong(e, TARGET[row].item()) for e in evidence[PRESENT[row]])
            fused += wrong(4 * (np.prod(1 + evidence / 4, axis=0) - 1), TARGET[row].item())
        assert losses["views"].item() == pytest.approx(views / 5)
        assert losses["task"].item() == pytest.approx(fused / 5)

    def test_weights_are_what_is_not_doubt(self, logits):
        evidence = (softplus(logits) * PRESENT[:, :, None]).sum(axis=2)
        certain = evidence / (evidence + 4)
        weights = TmcFusion(DIMS).fuse(signals(logits)).weights.numpy()
        np.testing.assert_allclose(weights[:5], (certain / certain.sum(axis=1, keepdims=True).clip(1e-12))[:5])

    def test_refuses_weights_by_class(self):
        encoders = {m: MLP(3, 4) for m in DIMS}
        with pytest.raises(ValueError, match="a loss of its own"):
            LateFusion(encoders, {"t": Multiclass(["a", "b"], weights=[1.0, 2.0])}, TmcFusion)

    def test_its_loss_is_in_place_of_the_tasks(self, logits):
        torch.manual_seed(0)
        model = LateFusion({m: MLP(4, 4) for m in DIMS}, {"t": TASK}, TmcFusion)
        learner = Learner(
            model, {"t": TASK}, {}, Plain(["task/t"]), Synchronous(), lambda params: torch.optim.SGD(params, lr=1e-2)
        )
        batch = Batch(signals(logits.astype(np.float32)), {"t": TARGET}, ROWS)
        outputs = model(batch.signals)
        losses = learner.losses(outputs, batch)
        assert set(losses) == {"task/t", "fusion/views-t"}
        assert losses["task/t"] == outputs.lessons["t"](TASK, TARGET, ROWS)["task"]


class TestQmf:
    def test_is_the_sum_of_logits_by_energy(self, logits):
        trust = softplus(np.log(np.exp(logits).sum(axis=2))) / 10 * PRESENT
        expected = softmax((trust[:, :, None] * logits).sum(axis=1))
        found = QmfFusion(DIMS).fuse(signals(logits))
        np.testing.assert_allclose(found.signal.pooled().softmax(dim=1).numpy(), expected, atol=1e-9)
        np.testing.assert_allclose(found.weights.numpy()[:5], trust[:5] / trust[:5].sum(axis=1, keepdims=True))

    def test_each_modality_learns_by_itself(self, logits):
        losses = QmfFusion(DIMS, own=2.0).fuse(signals(logits)).lesson(TASK, TARGET, ROWS)
        assert losses["own"].item() == pytest.approx(2 * own_cross_entropies(logits))

    def test_ranks_by_hand(self):
        """Rows with losses 0, 1, 2, of which h is 0, .5, 1: the pair (0, 1) is .2 out of order and so costs .7, (1, 2)
        is in order by .6, more than its margin .5, and (2, 0) in order by .4, which is .6 short of its margin 1."""
        confidence, past = torch.tensor([[0.5], [0.7], [0.1]]), torch.tensor([[0.0], [1.0], [2.0]])
        everywhere = torch.ones(3, 1, dtype=torch.bool)
        assert misranked(confidence, past, everywhere).item() == pytest.approx((0.7 + 0 + 0.6) / 3)
        without = torch.tensor([[True], [True], [False]])  # h is 0 and 1, and pairs with the third do not count
        assert misranked(confidence, past, without).item() == pytest.approx(1.2)

    def test_equal_losses_rank_nothing(self):
        confidence = torch.tensor([[0.5], [0.7]])
        assert misranked(confidence, torch.ones(2, 1), torch.ones(2, 1, dtype=torch.bool)) == 0

    def test_remembers_the_mean_loss_of_rows(self, logits):
        fusion, every = QmfFusion(DIMS), np.ones_like(PRESENT)
        target = torch.tensor([0, 1, 2, 3, 0, 1])
        right = np.take_along_axis(np.log(softmax(logits)), target.numpy()[:, None, None], axis=2)[..., 0]  # (B, M)
        other = np.zeros_like(logits)  # whose losses are log 4
        fusion.fuse(signals(logits, every)).lesson(TASK, target, ROWS + 3)
        fusion.fuse(signals(other, every)).lesson(TASK, target, ROWS + 3)
        fusion.eval().fuse(signals(other, every)).lesson(TASK, target, ROWS + 3)  # nothing is remembered of these
        found = fusion.sums / fusion.times.clip(1)
        np.testing.assert_allclose(found[3:], (-right + np.log(4)) / 2, atol=1e-6)
        assert not found[:3].any()
        again = QmfFusion(DIMS)
        again.load_state_dict(fusion.state_dict())
        np.testing.assert_array_equal(again.sums, fusion.sums)

    def test_detached_no_gradient_goes_through_the_confidence(self, logits):
        """Then the gradient of what is fused is that of constant weights: in proportion to c_m, row by row."""
        given = torch.tensor(logits, requires_grad=True)
        heard = {m: Signal.vector(given[:, k], torch.ones(6, dtype=torch.bool)) for k, m in enumerate(DIMS)}
        fused = QmfFusion(DIMS, detached=True).fuse(heard)
        fused.signal.pooled()[:, 0].sum().backward()
        rates = given.grad / fused.weights.unsqueeze(-1)  # (B, M, C)
        torch.testing.assert_close(rates, rates[:, :1].expand_as(rates))


class TestPdf:
    def test_of_two_is_the_papers(self, logits):
        """Mono-confidence, holo-confidence, and in evaluation the calibration, as of two modalities."""
        torch.manual_seed(0)
        fusion = PdfFusion({"text": 4, "image": 4}).double()
        two = {m: s for m, s in signals(logits, np.ones_like(PRESENT)).items() if m != "audio"}
        c = torch.cat([fusion.tells[m](s.pooled()) for m, s in two.items()], dim=1).sigmoid().detach().numpy()
        both = np.log(c[:, 0] * c[:, 1])
        belief = np.stack([c[:, 0] + np.log(c[:, 1]) / both, c[:, 1] + np.log(c[:, 0]) / both], axis=1)
        np.testing.assert_allclose(fusion.train().fuse(two).weights.detach().numpy(), softmax(belief), atol=1e-9)
        unlike = np.abs(softmax(logits[:, :2]) - 1 / 4).mean(axis=2)  # (B, 2)
        belief *= np.minimum(1, unlike / unlike[:, ::-1])
        found = fusion.eval().fuse(two)
        np.testing.assert_allclose(found.weights.detach().numpy(), softmax(belief), atol=1e-9)
        expected = softmax((softmax(belief)[:, :, None] * logits[:, :2]).sum(axis=1))
        np.testing.assert_allclose(found.signal.pooled().detach().softmax(dim=1).numpy(), expected, atol=1e-9)

    def test_foretells_the_probability_of_the_true_class(self, logits):
        torch.manual_seed(0)
        fusion = PdfFusion(DIMS).double()
        heard = signals(logits)
        losses = fusion.fuse(heard).lesson(TASK, TARGET, ROWS)
        wrong = 0.0
        for row in (0, 1, 2, 3, 5):
            for k, m in enumerate(DIMS):
                if PRESENT[row, k]:
                    told = fusion.tells[m](torch.tensor(logits[row, k])).sigmoid().item()
                    wrong += abs(told - softmax(logits[row, k])[TARGET[row]])
        assert losses["foretell"].item() == pytest.approx(wrong / 5)
        assert losses["own"].item() == pytest.approx(own_cross_entropies(logits))

    def test_what_it_foretells_teaches_the_network_alone(self, logits):
        fusion, given = PdfFusion(DIMS).double(), torch.tensor(logits, requires_grad=True)
        heard = {m: Signal.vector(given[:, k], torch.ones(6, dtype=torch.bool)) for k, m in enumerate(DIMS)}
        fusion.fuse(heard).lesson(TASK, TARGET, ROWS)["foretell"].backward()
        assert given.grad is None or not given.grad.any()
        assert all(p.grad is not None and p.grad.any() for p in fusion.parameters())


@pytest.mark.parametrize("taught", [TmcFusion, QmfFusion, PdfFusion])
def test_teaches_nothing_where_nothing_has_a_label(taught, logits):
    unknown = torch.full((6,), -1)
    losses = taught(DIMS).double().fuse(signals(logits)).lesson(TASK, unknown, ROWS)
    assert all(loss.item() == 0 for loss in losses.values())


@pytest.mark.parametrize("taught", [TmcFusion, QmfFusion, PdfFusion])
def test_decides_in_late_models_alone(taught):
    with pytest.raises(ValueError, match="model=late"):
        FeatureFusion({m: MLP(4, 4) for m in DIMS}, {"t": TASK}, taught)
