"""How several losses become one step: each balancer against its equations, and within the learner."""

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import nn

from mmfuse.balance.cagrad import CAGrad, averse
from mmfuse.balance.dwa import DWA, by_descent
from mmfuse.balance.gradnorm import GradNorm, pulls
from mmfuse.balance.mgda import MGDA, shortest
from mmfuse.balance.pcgrad import PCGrad, projected
from mmfuse.balance.plain import Plain
from mmfuse.balance.random import Random
from mmfuse.balance.uncertainty import Uncertainty, negative_log_likelihoods
from mmfuse.encoders.mlp import MLP
from mmfuse.errors import ConfigError
from mmfuse.fusion.concat import ConcatFusion
from mmfuse.learner.learner import Learner
from mmfuse.models.feature import FeatureFusion
from mmfuse.run.build import check_surgery
from mmfuse.schedules.synchronous import Synchronous
from mmfuse.tasks.losses import losses as losses_of
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.regression import Regression
from mmfuse.types import Batch, Phase, Step

OURS = ("random", "uncertainty", "dwa", "gradnorm", "pcgrad", "cagrad", "mgda")
BALANCERS = {name: Path(__file__).parents[1] / "configs" / "balance" / f"{name}.yaml" for name in OURS}
TASKS = {"kind": Multiclass(["a", "b", "c"]), "answer": Multiclass(["no", "yes"]), "score": Regression()}
NAMES = [f"task/{t}" for t in TASKS]
SIZES = {"audio": 5, "text": 4}


@pytest.fixture
def batch(sequences):
    """The second and third row lack a modality; the last lacks all, and labels."""
    signals = sequences(SIZES, {"audio": [2, 0, 1, 3, 0], "text": [1, 2, 0, 1, 0]})
    kind, answer = torch.tensor([0, 2, 1, 0, -1]), torch.tensor([1, 0, -1, 1, -1])
    score = torch.tensor([0.5, -1.0, 2.0, torch.nan, torch.nan])
    return Batch(signals, {"kind": kind, "answer": answer, "score": score}, torch.arange(5))


@pytest.fixture
def model():
    encoders = {m: MLP(size, dim=6) for m, size in SIZES.items()}
    return FeatureFusion(encoders, TASKS, partial(ConcatFusion, dim=6)).eval()


def step(model, batch, epoch=0, **more):
    outputs = model(batch.signals)
    parts = {n: [p for part in ps for p in part.parameters()] for n, ps in model.parts().items()}
    return Step(losses_of(TASKS, outputs, batch) | more, outputs, batch, TASKS, parts, epoch)


def gradient(total, model):
    """By parameter's name."""
    model.zero_grad()
    total.backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def each_gradient(model, batch):
    """(K, P) of what all tasks share, in numpy, by backward passes of torch's own."""
    rows = []
    for name in NAMES:
        found = gradient(step(model, batch).losses[name], model)
        rows.append(torch.cat([g.flatten() for n, g in found.items() if not n.startswith("heads")]))
    return torch.stack(rows).double().numpy()


def shared(found):
    return torch.cat([g.flatten() for n, g in found.items() if not n.startswith("heads")]).double().numpy()


class Vectors(nn.Module):
    """Losses whose gradients on a shared vector are these rows; each has an own parameter, too, of gradient 10."""

    def __init__(self, rows):
        super().__init__()
        self.rows = torch.tensor(rows, dtype=torch.float32)
        self.shared = nn.Parameter(torch.zeros(self.rows.shape[1]))
        self.own = nn.Parameter(torch.zeros(len(rows)))
        self.several = nn.ParameterList([nn.Parameter(torch.zeros(1)) for _ in rows])

    def step(self):
        losses = {f"task/{k}": row @ self.shared + 10 * own.sum() + 1 for k, (row, own) in enumerate(self.each())}
        return Step(losses, None, None, {}, {"fusion": [self.shared], "heads": list(self.several)}, 0)

    def each(self):
        return zip(self.rows, self.several, strict=True)

    def taken(self, balancer):
        """The step on what is shared, in numpy."""
        self.zero_grad()
        balancer(self.step()).backward()
        assert [own.grad.item() for own in self.several] == [10.0] * len(self.rows)
        return self.shared.grad.double().numpy()


def names(rows):
    return [f"task/{k}" for k in range(len(rows))]


class TestEvery:
    """What all of them owe, whatever they do."""

    @pytest.fixture(params=OURS)
    def make(self, request, build):
        return partial(build, BALANCERS[request.param])

    def test_one_loss_is_taken_as_it_is(self, make, model, batch):
        """At the first step: later uncertainty has learned how noisy it is."""
        balancer = make(losses=["task/kind"])
        given = step(model, batch)
        alone = given._replace(losses={"task/kind": given.losses["task/kind"]})
        found = gradient(balancer(alone), model)
        expected = gradient(step(model, batch).losses["task/kind"], model)
        for name, g in expected.items():
            torch.testing.assert_close(found[name], g)

    def test_losses_that_are_not_weighed_count_one(self, make, model, batch):
        """What the shared parameters get of them is added to what the balancer makes of the others."""
        balancer = make(losses=[*NAMES, "align/audio-text"])
        torch.manual_seed(1)
        without = gradient(balancer(step(model, batch)), model)
        other = sum(s.pooled().square().mean() for s in model(batch.signals).encoded.values())
        alone = gradient(other, model)
        given = step(model, batch)
        other = sum(s.pooled().square().mean() for s in given.outputs.encoded.values())
        torch.manual_seed(1)
        found = gradient(balancer(given._replace(losses=given.losses | {"align/audio-text": other})), model)
        for name, g in without.items():
            torch.testing.assert_close(found[name], g + alone.get(name, torch.zeros_like(g)), atol=1e-6, rtol=1e-4)

    def test_a_phase_without_its_losses_is_the_sum_of_the_others(self, make, model, batch):
        given = step(model, batch)
        other = given.outputs.encoded["text"].pooled().square().mean()
        total = make(losses=[*NAMES, "align/audio-text"])(given._replace(losses={"align/audio-text": other}))
        torch.testing.assert_close(total.detach(), other.detach())

    def test_a_task_without_labels_gives_nothing(self, make, model, batch):
        balancer = make(losses=NAMES)
        none = batch._replace(targets=batch.targets | {"score": torch.full((5,), torch.nan)})
        found = gradient(balancer(step(model, none)), model)
        assert all(g.isfinite().all() for g in found.values())
        assert not any(g.any() for n, g in found.items() if n.startswith("heads.score"))
        assert all(p.grad is None or p.grad[2] == 0 for p in balancer.parameters())

    def test_what_is_behind_a_mask_is_not_seen(self, make, model, batch):
        spoiled = {
            m: s._replace(data=s.data.masked_fill(~s.mask[..., None], torch.nan)) for m, s in batch.signals.items()
        }
        torch.manual_seed(1)
        expected = gradient(make(losses=NAMES)(step(model, batch)), model)
        torch.manual_seed(1)
        found = gradient(make(losses=NAMES)(step(model, batch._replace(signals=spoiled))), model)
        for name, g in expected.items():
            assert found[name].isfinite().all()
            torch.testing.assert_close(found[name], g)

    def test_bfloat16_stays_finite_and_close(self, make, model, batch):
        torch.manual_seed(1)
        expected = shared(gradient(make(losses=NAMES)(step(model, batch)), model))
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16):
            found = shared(gradient(make(losses=NAMES)(step(model, batch)), model))
        assert np.linalg.norm(found - expected) < 0.05 * np.linalg.norm(expected)

    def test_a_pattern_that_names_nothing_is_refused(self, make):
        with pytest.raises(ValueError, match="there is no loss"):
            make(losses=NAMES, keys={"of": ["tasks/*"]})
        with pytest.raises(ValueError, match="nothing would be weighed"):
            make(losses=NAMES, keys={"of": []})

    def test_learns_and_goes_on_from_a_checkpoint(self, make, batch):
        def learner():
            torch.manual_seed(0)
            encoders = {m: MLP(size, dim=6) for m, size in SIZES.items()}
            model = FeatureFusion(encoders, TASKS, partial(ConcatFusion, dim=6))
            sgd = partial(torch.optim.SGD, lr=0.1)
            return Learner(model, TASKS, {}, make(losses=NAMES), Synchronous(), sgd)

        def steps(learner, count, epoch):
            optimizer, told = learner.configure_optimizers(), []
            for k in range(count):
                torch.manual_seed(k)
                learner.phase = Phase()
                found = learner.training_step(batch, k)
                optimizer.zero_grad()
                found["loss"].backward()
                optimizer.step()
                told.append(float(found["told"]))
            learner.balancer.end_epoch(epoch, {n: told[-1] * (k + 1) for k, n in enumerate(NAMES)}, {})
            return told

        one, other = learner(), learner()
        first = [*steps(one, 8, 0), *steps(one, 8, 1)]
        assert first[-1] < first[0]
        other.load_state_dict(one.state_dict())
        assert steps(one, 3, 2) == steps(other, 3, 2)


class TestRandom:
    def test_weights_are_a_softmax_of_normal_numbers_times_their_count(self):
        """In mean 1 each, in sum 3; the logarithms of their ratios are N(0, 2)."""
        p = nn.Parameter(torch.ones(3))
        losses = {f"task/{k}": p[k] for k in range(3)}
        balancer, step = Random(list(losses)), Step(losses, None, None, {}, {}, 0)
        found = torch.stack([torch.autograd.grad(balancer(step), p)[0] for _ in range(2000)])
        weights = found.double().numpy()
        np.testing.assert_allclose(weights.sum(axis=1), 3, rtol=1e-5)
        np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.05)  # of deviation .6 / sqrt(2000) = .013
        ratios = np.log(weights[:, 0] / weights[:, 1])
        assert abs(ratios.mean()) < 0.1
        assert abs(ratios.var() - 2) < 0.25


class TestUncertainty:
    L, S = torch.tensor([1.2, 0.4]), torch.tensor([0.3, -0.2])

    @pytest.mark.parametrize(("half", "expected"), [(True, 0.73877148), (False, 1.42754297)])
    def test_both_forms(self, half, expected):
        found = negative_log_likelihoods(self.L.double(), self.S.double(), torch.tensor([half, half])).sum()
        assert float(found) == pytest.approx(expected, abs=1e-7)

    @pytest.mark.parametrize(("form", "optimum"), [("regression", 1.2), ("classification", 2.4)])
    def test_at_a_constant_loss_the_variance_settles_at_its_optimum(self, form, optimum):
        balancer = Uncertainty(["task/a"], form=form)
        optimizer = torch.optim.LBFGS(balancer.parameters(), line_search_fn="strong_wolfe")

        def closure():
            optimizer.zero_grad()
            total = balancer(Step({"task/a": torch.tensor(1.2)}, None, None, {}, {}, 0))
            total.backward()
            return total

        for _ in range(5):
            optimizer.step(closure)
        assert float(balancer.log_variances.detach()) == pytest.approx(math.log(optimum), abs=1e-3)

    def test_a_tasks_kind_tells_its_form(self, model, batch):
        given = step(model, batch)
        total = Uncertainty(NAMES, start=0.5)(given)
        kind, answer, score = (given.losses[n].item() for n in NAMES)
        expected = math.exp(-0.5) * (kind + answer + score / 2) + 3 * 0.25
        assert total.item() == pytest.approx(expected, rel=1e-6)


class TestDWA:
    def test_weights(self):
        found = by_descent(torch.tensor([0.8, 1.25], dtype=torch.float64), 2.0)
        np.testing.assert_allclose(found.numpy(), [0.88797222, 1.11202778], atol=1e-8)

    def test_two_epochs_of_equal_weights_and_then_by_the_last_two(self):
        """In its own words: exp(r / T) of .8 and 1.25, with T = 2, over their sum, times 2."""
        p = nn.Parameter(torch.ones(2))
        losses = {f"task/{k}": p[k] for k in range(2)}
        balancer = DWA(list(losses))

        def weights():
            return torch.autograd.grad(balancer(Step(losses, None, None, {}, {}, 0)), p)[0].tolist()

        for epoch, means in enumerate([(5.0, 8.0), (4.0, 10.0)]):
            assert weights() == [1.0, 1.0]
            balancer.end_epoch(epoch, {"task/0": means[0], "task/1": means[1]}, {})
        e = [math.exp(0.4), math.exp(0.625)]
        assert weights() == pytest.approx([2 * e[0] / sum(e), 2 * e[1] / sum(e)])
        balancer.end_epoch(2, {"task/0": 1.0}, {})  # the other was not learned from: as if it had stayed
        e = [math.exp(0.125), math.exp(0.5)]
        assert weights() == pytest.approx([2 * e[0] / sum(e), 2 * e[1] / sum(e)])


class TestGradNorm:
    def test_targets_and_slopes(self):
        w, g, left = (torch.tensor(x, dtype=torch.float64) for x in ([1.4, 0.6], [2.0, 0.5], [0.75, 0.875]))
        found = pulls(w, g, left, torch.tensor([True, True]), alpha=1.5)
        np.testing.assert_allclose(found.targets.numpy(), [1.37463861, 1.73224263], atol=1e-8)
        assert float((w * g - found.targets).abs().sum()) == pytest.approx(2.85760402, abs=1e-8)
        assert found.slopes.tolist() == [2.0, -0.5]

    def test_norms_are_those_at_the_named_part(self, model, batch):
        """The weights' gradients are the norms of the fusion's, by torch's own backward passes, all but their signs."""
        balancer = GradNorm(NAMES)
        norms = []
        for name in NAMES:
            found = gradient(step(model, batch).losses[name], model)
            norms.append(sum(g.square().sum() for n, g in found.items() if n.startswith("fusion")).sqrt())
        gradient(balancer(step(model, batch)), model)
        torch.testing.assert_close(balancer.weights.grad.abs(), torch.stack(norms))

    def test_unlike_pulls_become_alike(self):
        """Gradients of length 2, 1 and 1/2, all losses falling alike: weights as 1/2, 1 and 2, and 3 in sum."""
        vectors = Vectors([[2.0, 0.0], [0.0, 1.0], [0.5, 0.0]])
        balancer = GradNorm(names(vectors.rows), alpha=0.0)
        optimizer = torch.optim.SGD(balancer.parameters(), lr=5e-3)
        for _ in range(600):
            optimizer.zero_grad()
            balancer(vectors.step()).backward()
            optimizer.step()
        weights = balancer.weights.detach().double().numpy()
        np.testing.assert_allclose(weights, 3 * np.array([0.5, 1.0, 2.0]) / 3.5, atol=0.03)

    def test_what_lags_pulls_harder(self):
        """Of equal gradients, the loss that has fallen less has the higher target, so that its weight grows."""
        p = nn.Parameter(torch.zeros(2))
        balancer = GradNorm(["task/0", "task/1"])

        def total(first, second):
            losses = {"task/0": first + p[0], "task/1": second + p[1]}
            return balancer(Step(losses, None, None, {}, {"fusion": [p]}, 0))

        total(4.0, 2.0).backward()
        balancer.zero_grad()
        total(3.0, 0.5).backward()  # 3/4 and 1/4 are left
        assert balancer.weights.grad.tolist() == [-1.0, 1.0]

    def test_a_part_that_does_not_learn_is_refused(self, model, batch):
        with pytest.raises(ConfigError, match=r"balance.at=trunk.*\n.*audio, text, completion, fusion, heads"):
            GradNorm(NAMES, at="trunk")(step(model, batch))

    def test_a_pass_through_the_encoders_is_spared(self, model, batch):
        given, passes = step(model, batch), []
        given.outputs.encoded["text"].data.register_hook(lambda g: passes.append(1))
        GradNorm(NAMES)(given).backward()
        assert len(passes) == 1


class TestSurgery:
    """PCGrad, CAGrad and MGDA, on gradients that are given."""

    def test_backward_passes_are_as_many_as_losses(self, build, model, batch):
        for name in ("pcgrad", "cagrad", "mgda"):
            given, passes = step(model, batch), []
            given.outputs.encoded["text"].data.register_hook(lambda g, passes=passes: passes.append(1))
            build(BALANCERS[name], losses=NAMES)(given).backward()
            assert len(passes) == len(NAMES)

    def test_what_the_model_is_given_is_the_combination_of_its_gradients(self, model, batch):
        """Through a model of encoders, fusion and heads, some rows without labels; heads get their own as they are."""
        each = each_gradient(model, batch)
        found = gradient(MGDA(NAMES)(step(model, batch)), model)
        np.testing.assert_allclose(shared(found), shortest(each @ each.T) @ each, atol=1e-6)
        plain = gradient(Plain(NAMES)(step(model, batch)), model)
        for name in (n for n in plain if n.startswith("heads")):
            torch.testing.assert_close(found[name], plain[name])

    @pytest.mark.parametrize("kind", [PCGrad, CAGrad, MGDA])
    def test_scaled_and_sharded_gradients_are_refused(self, kind):
        for trainer in ({"precision": "16-mixed"}, {"strategy": "fsdp"}):
            with pytest.raises(ConfigError, match="takes gradients apart"):
                check_surgery(kind(NAMES), trainer)
        check_surgery(kind(NAMES), {"precision": "bf16-mixed", "strategy": "ddp"})

    @pytest.mark.parametrize("kind", [PCGrad, CAGrad, MGDA])
    def test_a_loss_that_is_not_a_number_reaches_whoever_reports_it(self, kind):
        vectors = Vectors([[1.0, 0.0], [torch.nan, 1.0]])
        assert np.isnan(vectors.taken(kind(names(vectors.rows)))).any()


class TestPCGrad:
    def test_gradients_without_conflict_are_summed(self, random):
        rows = np.abs(random.standard_normal((4, 6)))
        np.testing.assert_allclose(Vectors(rows).taken(PCGrad(names(rows))), rows.sum(axis=0), rtol=1e-5)

    def test_two_in_conflict_by_hand(self):
        """(1, 0) and (-1, 1): (1, 0) + (-1, 1) / 2 and (-1, 1) + (1, 0), in sum (.5, 1.5)."""
        rows = np.array([[1.0, 0.0], [-1.0, 1.0]])
        np.testing.assert_allclose(Vectors(rows).taken(PCGrad(names(rows))), [0.5, 1.5])

    def test_each_is_left_orthogonal_to_what_it_opposed_last(self, random):
        found = 0
        for _ in range(50):
            g = random.standard_normal((2, 3))
            left = projected(g @ g.T, [[1], [0]]) @ g
            if g[0] @ g[1] < 0:
                found += 1
                np.testing.assert_allclose([left[0] @ g[1], left[1] @ g[0]], 0, atol=1e-12)
        assert found > 10

    def test_is_algorithm_1_on_the_vectors_themselves(self, random):
        for _ in range(20):
            g = random.standard_normal((4, 5))
            orders = [random.permutation(4).tolist() for _ in g]
            expected = np.zeros(5)
            for i, order in enumerate(orders):
                own = g[i].copy()
                for j in order:
                    if j != i and own @ g[j] < 0:
                        own -= own @ g[j] / (g[j] @ g[j]) * g[j]
                expected += own
            np.testing.assert_allclose(projected(g @ g.T, orders).sum(axis=0) @ g, expected, atol=1e-10)

    def test_the_order_is_drawn_anew(self):
        """Three at 120 degrees and more to each other, where the order tells."""
        rows = [[1.0, 0.0, 0.2], [-1.0, 1.0, 0.0], [-0.5, -1.0, 0.3]]
        vectors, balancer = Vectors(rows), PCGrad(names(rows))
        assert len({tuple(vectors.taken(balancer).round(4)) for _ in range(40)}) > 1


class TestMGDA:
    def test_is_the_shortest_by_another_solver(self, random):
        for k in (2, 3, 5):
            for scale in (1e-3, 1.0, 1e3):
                g = scale * random.standard_normal((k, 4)) + 0.3 * scale
                products = g @ g.T
                sums_to_one = {"type": "eq", "fun": lambda w: w.sum() - 1}
                other = minimize(
                    lambda w, p=products / scale**2: w @ p @ w,
                    np.full(k, 1 / k),
                    bounds=[(0, 1)] * k,
                    constraints=sums_to_one,
                    tol=1e-12,
                ).x
                w = shortest(products)
                assert w.min() >= 0
                assert w.sum() == pytest.approx(1)
                np.testing.assert_allclose(w @ products @ w, other @ products @ other, atol=1e-6 * scale**2)

    def test_no_loss_rises(self, random):
        """g_i . d >= |d|^2 for all: the condition of the shortest point of a convex hull."""
        for _ in range(20):
            g = random.standard_normal((3, 4))
            d = Vectors(g).taken(MGDA(names(g)))
            assert (g @ d >= d @ d - 1e-5).all()

    def test_gradients_that_cancel_are_no_step(self):
        rows = [[1.0, 0.0], [-3.0, 0.0]]
        np.testing.assert_allclose(Vectors(rows).taken(MGDA(names(rows))), 0, atol=1e-6)


class TestCAGrad:
    @pytest.mark.parametrize("c", [0.1, 0.4, 0.9])
    def test_serves_the_worst_as_well_as_can_be(self, random, c):
        """max of min_i g_i . d where |d - g_0| <= c |g_0|, by scipy for d itself and a bound beneath all g_i . d."""
        for _ in range(5):
            g = random.standard_normal((3, 4))
            mean = g.mean(axis=0)
            within = {"type": "ineq", "fun": lambda x, m=mean: c**2 * (m @ m) - (x[:-1] - m) @ (x[:-1] - m)}
            beneath = {"type": "ineq", "fun": lambda x, g=g: g @ x[:-1] - x[-1]}
            best = minimize(
                lambda x: -x[-1], np.append(mean, (g @ mean).min()), constraints=[within, beneath], tol=1e-12
            )
            d = averse(g @ g.T, c) @ g / 3
            assert np.linalg.norm(d - mean) <= c * np.linalg.norm(mean) * (1 + 1e-5)
            assert (g @ d).min() == pytest.approx(-best.fun, abs=1e-4)

    def test_without_room_it_is_the_plain_sum(self, random):
        rows = random.standard_normal((3, 4))
        np.testing.assert_allclose(Vectors(rows).taken(CAGrad(names(rows), c=0.0)), rows.sum(axis=0), rtol=1e-5)

    def test_like_gradients_stay_and_grow_by_c(self):
        """g_w is g for all w, so d = (1 + c) g."""
        rows = [[1.0, 2.0], [1.0, 2.0]]
        np.testing.assert_allclose(Vectors(rows).taken(CAGrad(names(rows))), [2.8, 5.6], rtol=1e-5)

    def test_room_is_a_share(self):
        with pytest.raises(ValueError, match=r"c=1.5"):
            CAGrad(NAMES, c=1.5)


def test_what_a_balancer_learns_has_no_decay_and_its_own_rate(model):
    adamw = partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1)
    for balancer, lr in ((GradNorm(NAMES), 0.025), (Uncertainty(NAMES), 0.01), (Uncertainty(NAMES, lr=0.5), 0.5)):
        groups = Learner(model, TASKS, {}, balancer, Synchronous(), adamw).configure_optimizers().param_groups
        found = {part: (g["weight_decay"], g["lr"]) for g in groups for part in g["name"].split("+")}
        assert found["balance"] == (0.0, lr)
        assert found["fusion"] == (0.1, 0.01)
