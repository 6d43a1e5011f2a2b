"""Balanced multimodal learning: who is ahead is slowed, who is behind is helped, by the formulas of the papers.

The model is small: three modalities of plain features, some rows without some of them and NaN behind their masks, one
row without a label.
"""

from itertools import pairwise, permutations
from math import e, exp, log, tanh

import numpy as np
import pytest
import pytorch_lightning as L
import torch
from torch.utils.data import DataLoader

from mmfuse import masks
from mmfuse.balance.agm import Agm, shapley
from mmfuse.balance.gradient_blending import GradientBlending, blended
from mmfuse.balance.mmpareto import MMPareto, reconciled
from mmfuse.balance.ogm_ge import OgmGe, slowed
from mmfuse.balance.plain import Plain
from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.encoders.linear import Linear
from mmfuse.errors import ConfigError
from mmfuse.fusion.concat import ConcatFusion
from mmfuse.fusion.sum import SumFusion
from mmfuse.learner.learner import Learner
from mmfuse.models.feature import FeatureFusion
from mmfuse.models.late import LateFusion
from mmfuse.objectives.pmr import Pmr, paces
from mmfuse.objectives.reconboost import Reconboost
from mmfuse.objectives.unimodal import Unimodal
from mmfuse.run.build import check_surgery, parts
from mmfuse.run.prepare import divide, load, prepare
from mmfuse.schedules.reconboost import Reconboost as Turns
from mmfuse.schedules.synchronous import Synchronous
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.regression import Regression
from mmfuse.types import Batch, Outputs, Phase, Signal, Step

SIZES = {"a": 5, "b": 6, "c": 7}
NAMES = tuple(SIZES)
TASKS = {"t": Multiclass(["x", "y", "z"])}
DIM = 4
DIMS = dict.fromkeys(SIZES, DIM)
UNIMODAL = tuple(f"unimodal/{m}-t" for m in NAMES)
LOSSES = ("task/t", *UNIMODAL)


def batch_of(rows=24, whole=False, seed=0):
    """Modality a tells the class, b half of it, c nothing."""
    dice = torch.Generator().manual_seed(seed)
    target = torch.arange(rows) % 3
    signals = {}
    for i, (m, size) in enumerate(SIZES.items()):
        data = torch.randn(rows, 1, size, generator=dice)
        data[:, 0, :3] += (2.0, 1.0, 0.0)[i] * torch.eye(3)[target]
        mask = torch.ones(rows, 1, dtype=torch.bool) if whole else (torch.arange(rows) % 7 != i)[:, None]
        signals[m] = Signal(data.masked_fill(~mask[:, :, None], torch.nan), mask)
    if not whole:
        target[5] = -1
    return Batch(signals, {"t": target}, torch.arange(rows))


def model_of(level="feature"):
    torch.manual_seed(0)
    encoders = {m: Linear(size, DIM) for m, size in SIZES.items()}
    if level == "late":
        return LateFusion(encoders, TASKS, SumFusion)
    return FeatureFusion(encoders, TASKS, lambda dims: ConcatFusion(dims, dim=8, dropout=0.0))


def learner_of(balancer, objectives=None, level="feature", schedule=None):
    return Learner(
        model_of(level),
        TASKS,
        objectives or {},
        balancer,
        schedule or Synchronous(),
        lambda params: torch.optim.Adam(params, lr=0.05),
    )


def unimodal():
    return {"unimodal": Unimodal(DIMS, TASKS)}


def step_of(learner, batch, epoch=0):
    encoded = learner.model.encode(batch.signals)
    outputs = learner.model.outputs(encoded, encoded)
    return Step(learner.losses(outputs, batch), outputs, batch, TASKS, learner.parts.learning, epoch)


def gradients(learner, *batches):
    """By part, one vector each, summed over a step for each batch."""
    learner.phase = Phase()
    learner.zero_grad()
    for batch in batches:
        learner.training_step(batch, 0)["loss"].backward()
    return {n: torch.cat([p.grad.flatten() for p in ps]) for n, ps in learner.parts.learning.items()}


def right(learner, batch):
    """The mean probability of the right class that each modality gives by itself, in numpy."""
    found = {}
    with torch.no_grad():
        encoded = learner.model.encode(batch.signals)
        for m in NAMES:
            logits = learner.model.predict(masks.keep(encoded, {m}))["t"].numpy().astype(float)
            p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            rows = (encoded[m].present & (batch.targets["t"] >= 0)).numpy()
            found[m] = p[rows, batch.targets["t"].numpy()[rows]].mean()
    return found


def taught(learner, batch, steps=30):
    """So that some modalities are ahead of others."""
    optimizer = torch.optim.Adam(learner.parameters(), lr=0.02)
    balancer, learner.balancer = learner.balancer, Plain(["task/t"])
    learner.phase = Phase()
    for _ in range(steps):
        optimizer.zero_grad()
        learner.training_step(batch, 0)["loss"].backward()
        optimizer.step()
    learner.balancer = balancer
    return learner


def close(found, expected, **more):
    torch.testing.assert_close(found, torch.as_tensor(expected, dtype=found.dtype), **more)


class TestOgmGe:
    @pytest.mark.parametrize("level", ["feature", "late"])
    def test_slows_the_encoders_that_are_ahead_and_nothing_else(self, level):
        batch = batch_of()
        learner = taught(learner_of(OgmGe(TASKS, alpha=0.3, noise=False), level=level), batch)
        s = right(learner, batch)
        factors = {}
        for m in NAMES:
            ratio = s[m] / np.mean([s[other] for other in NAMES if other != m])
            factors[m] = 1 - tanh(0.3 * ratio) if ratio > 1 else 1.0
        assert factors["a"] < 1
        assert factors["c"] == 1
        rest = gradients(learner, batch)
        slow = {m: [p.grad.clone() for p in learner.model.encoders[m].parameters()] for m in NAMES}
        learner.balancer = Plain(["task/t"])
        plain = gradients(learner, batch)
        for m in NAMES:
            for found, p in zip(slow[m], learner.model.encoders[m].parameters(), strict=True):
                close(found, factors[m] * p.grad)
        for part in set(plain) - set(NAMES):
            assert torch.equal(rest[part], plain[part])

    def test_of_two_one_alone_is_slowed(self):
        found = slowed(torch.tensor([0.2, 0.5]), alpha=0.8)
        close(found, [1.0, 1 - tanh(0.8 * 2.5)])
        assert slowed(torch.tensor([0.3, 0.3]), alpha=0.8).tolist() == [1, 1]

    def test_what_cannot_be_compared_is_not_slowed(self):
        assert slowed(torch.tensor([0.9, torch.nan]), alpha=0.8).tolist() == [1, 1]
        assert slowed(torch.tensor([0.9]), alpha=0.8).tolist() == [1]

    def test_noise_has_the_deviation_of_the_gradient_before_it_was_slowed(self):
        learner, batch = taught(learner_of(OgmGe(TASKS, alpha=2.0)), batch_of()), batch_of()
        draws = []
        for seed in range(60):
            torch.manual_seed(seed)
            gradients(learner, batch)
            draws.append(learner.model.encoders["a"].layer.weight.grad.clone())
        heads = learner.model.heads["t"].linear.weight.grad.clone()
        learner.balancer = Plain(["task/t"])
        gradients(learner, batch)
        plain = learner.model.encoders["a"].layer.weight.grad
        found = torch.stack(draws)
        spread = plain.std(correction=0).item()  # 20 entries, 60 draws: 2 % off at one deviation
        assert found.std(dim=0).mean().item() == pytest.approx(spread, rel=0.08)
        assert (
            found.mean(dim=0).abs().max().item() < plain.abs().max().item() / 2
        )  # slowed to 4 %, and a mean that is 13 % of the deviation off
        assert torch.equal(heads, learner.model.heads["t"].linear.weight.grad)

    def test_noise_is_for_its_own_step_only(self):
        learner, batch = learner_of(OgmGe(TASKS)), batch_of()
        gradients(learner, batch)
        learner.balancer(step_of(learner, batch))  # a step that is never taken
        learner.balancer(step_of(learner, batch)).backward()
        learner.balancer = Plain(["task/t"])
        again, fresh = gradients(learner, batch), gradients(learner_of(Plain(["task/t"])), batch)
        for part in fresh:
            assert torch.equal(again[part], fresh[part])

    def test_epochs_outside_are_plain(self):
        batch, learner = batch_of(), learner_of(OgmGe(TASKS, alpha=5.0, start=1))
        found, plain = gradients(learner, batch), gradients(learner_of(Plain(["task/t"])), batch)
        assert all(torch.equal(found[part], plain[part]) for part in plain)

    def test_a_number_has_no_right_class(self):
        with pytest.raises(ValueError, match=r"ogm_ge .* 'n' does not have\n  to go on: balance=mmpareto"):
            OgmGe({"n": Regression()})
        both = {"n": Regression(), **TASKS}
        with pytest.raises(ValueError, match=r"'n' does not have\n  to go on: task=t"):
            OgmGe(both, task="n")
        with pytest.raises(ValueError, match="there is no such task"):
            Agm(NAMES, both, task="m")
        assert OgmGe(both).task == "t"


class TestAgm:
    def test_shapley_is_the_mean_over_orders(self, random):
        players = ("a", "b", "c", "d")
        values = {}
        for order in permutations(players):
            for size in range(1, 5):
                values.setdefault(tuple(sorted(order[:size])), torch.tensor(random.normal(size=(2, 3))))
        found = shapley(values)
        for m in players:
            added = []
            for order in permutations(players):
                before = order[: order.index(m)]
                gain = values[tuple(sorted((*before, m)))]
                added.append(gain - (values[tuple(sorted(before))] if before else 0))
            close(found[m], torch.stack(added).mean(dim=0))

    @pytest.mark.parametrize("level", ["feature", "late"])
    def test_phi_sum_to_what_the_model_says(self, level):
        learner, batch = learner_of(Agm(NAMES, TASKS), level=level), batch_of()
        step = step_of(learner, batch)
        phi = shapley(learner.balancer.values(step))
        close(torch.stack(list(phi.values())).sum(dim=0), step.outputs.predictions["t"])
        for m in NAMES:
            assert (phi[m][~step.outputs.encoded[m].present] == 0).all()

    def test_factors_by_hand(self):
        agm = Agm(["a", "b"], TASKS, alpha=0.5)
        assert agm.factors(torch.tensor([1.0, 2.0])).tolist() == [1, 1]  # nothing was before
        agm.average += torch.tensor([1.0, 2.0])  # a has been ahead by e
        agm.steps += 1
        close(agm.factors(torch.tensor([1.5, 1.5])), [exp((e - 1) / 2), exp((1 / e - 1) / 2)])
        close(agm.factors(torch.tensor([1.0, 2.0])), [1.0, 1.0])
        assert (agm.factors(torch.tensor([0.5, 2.5])) < 1).tolist() == [True, False]  # further ahead than usual
        assert agm.factors(torch.tensor([torch.nan, 2.0])).tolist() == [1, 1]
        agm.average.copy_(torch.tensor([0.0, 50.0]))
        assert agm.factors(torch.tensor([50.0, 0.0])).tolist() == [10, 0]

    def test_usual_is_the_mean_of_all_steps_before(self):
        learner = learner_of(Agm(NAMES, TASKS))
        batches = [batch_of(seed=seed) for seed in range(3)]
        scores = [learner.balancer.scores(step_of(learner, batch)) for batch in batches]
        for batch in batches:
            learner.balancer(step_of(learner, batch))
        close(learner.balancer.average, torch.stack(scores).mean(dim=0))

    def test_encoders_are_scaled_and_nothing_else(self):
        learner, batch = learner_of(Agm(NAMES, TASKS)), batch_of()
        plain = gradients(learner, batch)  # the first step is plain
        learner.balancer.average += torch.tensor([0.5, 0.1, -0.5])
        factors = learner.balancer.factors(learner.balancer.scores(step_of(learner, batch)))
        found = gradients(learner, batch)
        for m, factor in zip(NAMES, factors, strict=True):
            assert factor != 1
            close(found[m], factor * plain[m])
        assert torch.equal(found["heads"], plain["heads"])


class TestGradientBlending:
    BEFORE = torch.tensor([[1.0, 1.0, 1.0], [1.2, 1.2, 1.1]])

    def test_by_hand(self):
        """G = .4, .2, .1 and O = .1, .2, .3."""
        now = torch.tensor([[0.5, 0.6, 0.6], [0.8, 1.0, 1.0]])
        trust = np.array([0.4 / 0.1**2, 0.2 / 0.2**2, 0.1 / 0.3**2])
        found = blended(self.BEFORE, now, torch.ones(3) / 3)
        close(found, trust / trust.sum())
        assert found.sum().item() == pytest.approx(1)

    def test_what_does_not_generalise_counts_nothing(self):
        now = torch.tensor([[0.5, 0.1, 0.6], [0.8, 1.3, 1.0]])
        assert blended(self.BEFORE, now, torch.ones(3) / 3)[1] == 0
        kept = torch.tensor([0.2, 0.3, 0.5])
        assert torch.equal(blended(self.BEFORE, self.BEFORE + torch.tensor([[0.0], [0.1]]), kept), kept)

    def test_a_modality_of_zeros_does_not_take_it_all(self):
        before = torch.tensor([[1.1, 1.1, 1.1], [1.1, 1.1, 1.1]])
        now = torch.tensor([[0.1, 0.3, 1.08], [0.3, 0.5, 1.08]])  # the last stays where it was
        weights = torch.ones(3) / 3
        assert blended(before, now, weights, floor=0.0)[2] > 0.99
        assert blended(before, now, weights, floor=0.1)[2] < 0.1

    def test_looks_every_so_many_epochs(self):
        balancer = GradientBlending(LOSSES, NAMES, TASKS, every=2)
        means = [dict(zip(LOSSES, (1 / (n + 1), 1.0, 1.0 - 0.1 * n, 1.0), strict=True)) for n in range(4)]
        seen = []
        for n in range(4):
            balancer.end_epoch(n, means[n], {k: v + 0.1 * n for k, v in means[n].items()})
            seen.append(balancer.weights.clone())
        assert torch.equal(seen[0], torch.full((4,), 0.25))
        assert torch.equal(seen[1], seen[0])
        assert not torch.equal(seen[2], seen[1])
        assert torch.equal(seen[3], seen[2])
        balancer.end_epoch(9, {"task/t": 0.0}, {"task/t": 0.0})  # a phase without the others
        assert torch.equal(balancer.weights, seen[2])

    def test_is_the_weighted_sum_and_others_count_one(self):
        learner = learner_of(GradientBlending(LOSSES, NAMES, TASKS), unimodal())
        learner.balancer.weights.copy_(torch.tensor([0.4, 0.3, 0.2, 0.1]))
        step = step_of(learner, batch_of())
        values = [step.losses[name].item() for name in LOSSES]
        step = step._replace(losses=step.losses | {"fusion/x": torch.tensor(7.0)})
        assert learner.balancer(step).item() == pytest.approx(np.dot([0.4, 0.3, 0.2, 0.1], values) + 7, rel=1e-5)

    @pytest.mark.parametrize("make", [lambda n: GradientBlending(n, NAMES, TASKS), lambda n: MMPareto(n)])
    def test_needs_what_each_gets_wrong_by_itself(self, make):
        with pytest.raises(ValueError, match=r"to go on: objectives=\[unimodal\]"):
            make(("task/t", "align/a-b"))


class TestMMPareto:
    def test_where_they_agree_it_is_their_sum(self):
        g, u = torch.tensor([1.0, 2.0, 0.0]), torch.tensor([2.0, -0.5, 1.0])
        close(reconciled(g, u), 1.5 * (g + u))

    def test_where_they_conflict_it_is_the_shortest_stretched(self, random):
        met = 0
        for _ in range(50):
            g, u = random.normal(size=(2, 3)) * random.uniform(0.1, 3, size=(2, 1))
            if g @ u >= 0:
                continue
            met += 1
            shares = np.linspace(0, 1, 100_001)
            best = shares[np.linalg.norm(shares[:, None] * g + (1 - shares[:, None]) * u, axis=1).argmin()]
            step = 2 * (best * g + (1 - best) * u)
            step *= max(np.linalg.norm(g + u) / np.linalg.norm(step), 1)
            found = reconciled(torch.tensor(g), torch.tensor(u))
            close(found, 1.5 * step, rtol=1e-2, atol=1e-2)  # the shares are tried, 100,000 of them
            assert found.norm() >= 1.5 * np.linalg.norm(g + u) - 1e-6
            assert (found @ torch.tensor(g)).item() > 0
            assert (found @ torch.tensor(u)).item() > 0
        assert met > 10

    def test_nothing_and_the_opposite(self):
        g, none = torch.tensor([1.0, -2.0]), torch.zeros(2)
        close(reconciled(g, none), 1.5 * g)
        close(reconciled(none, g), 1.5 * g)
        assert reconciled(none, none).tolist() == [0, 0]
        for other in (-g, -3 * g, -g / 7):
            assert reconciled(g, other).norm() < 1e-5

    @pytest.mark.parametrize("level", ["feature", "late"])
    def test_encoders_are_reconciled_and_the_rest_learns_from_the_sum(self, level):
        learner, batch = taught(learner_of(MMPareto(LOSSES), unimodal(), level), batch_of()), batch_of(seed=1)
        joint, alone, found = {}, {}, gradients(learner, batch)
        for into, pick in ((joint, lambda n: n == "task/t"), (alone, lambda n: n != "task/t")):
            learner.zero_grad()
            sum(loss for name, loss in step_of(learner, batch).losses.items() if pick(name)).backward()
            for part, ps in learner.parts.learning.items():
                into[part] = torch.cat([p.grad.flatten() for p in ps])
        for part, gradient in found.items():
            g, u = joint[part], alone[part]
            close(gradient, reconciled(g, u) if part in NAMES else g + u)

    def test_steps_accumulate(self):
        learner, batches = learner_of(MMPareto(LOSSES), unimodal()), [batch_of(seed=1), batch_of(seed=2)]
        both, each = gradients(learner, *batches), [gradients(learner, batch) for batch in batches]
        for part in both:
            close(both[part], each[0][part] + each[1][part])

    def test_neither_scaled_nor_sharded(self):
        with pytest.raises(ConfigError, match="bf16-mixed"):
            check_surgery(MMPareto(LOSSES), {"precision": "16-mixed"})


def outputs_of(codes, present, logits=None):
    """Of (B, D) codes by modality, which predict what `logits` say of each alone."""
    encoded = {m: Signal.vector(code, present[m]) for m, code in codes.items()}

    def predict(signals):
        (heard,) = [m for m, s in signals.items() if s.mask.any()]
        return {"t": logits[heard]}

    return Outputs({}, encoded, predict)


class TestPmr:
    TARGET = torch.tensor([0, 0, 1, 1, -1])
    CODES = {
        "a": torch.tensor([[0.0, 0.0], [2.0, 0.0], [10.0, 0.0], [10.0, 4.0], [99.0, 99.0]]),
        "b": torch.tensor([[1.0], [3.0], [2.5], [torch.nan], [99.0]]),
    }
    PRESENT = {"a": torch.ones(5, dtype=torch.bool), "b": torch.tensor([True, True, True, False, True])}

    def batch(self):
        return Batch({}, {"t": self.TARGET}, torch.arange(5))

    def make(self, **more):
        return Pmr({"a": 2, "b": 1}, TASKS, **more)

    def heard(self, pmr, codes=None):
        return pmr(outputs_of(codes or self.CODES, self.PRESENT), self.batch())

    def test_centres_are_the_means_of_classes_and_some_of_the_old_is_kept(self):
        pmr = self.make(momentum=0.25)
        assert set(self.heard(pmr)) == {"pmr/a", "pmr/b"}
        pmr.eval()
        self.heard(pmr, {m: code + 5 for m, code in self.CODES.items()})  # validation rows are not measured
        pmr.train()
        pmr.at_epoch(1)
        first = torch.tensor([[1.0, 0.0, 2.0], [10.0, 2.0, 2.5], [0.0, 0.0, 0.0]])
        close(pmr.centres, first)
        assert pmr.known.tolist() == [[True, True], [True, True], [False, False]]
        self.heard(pmr, {m: code + 4 for m, code in self.CODES.items()})
        pmr.at_epoch(2)
        close(pmr.centres[:2], first[:2] + 3)

    def test_the_first_epoch_has_no_loss(self):
        assert [loss.item() for loss in self.heard(self.make()).values()] == [0, 0]

    def test_by_hand(self):
        pmr = self.make(alpha=2.0, mu=0.5, early=2)
        self.heard(pmr)
        pmr.at_epoch(1)
        codes = {m: code.clone().requires_grad_() for m, code in self.CODES.items()}
        losses = self.heard(pmr, codes)

        def near(z, centres):
            distance = np.linalg.norm(np.array(z)[:, None] - np.array(centres), axis=2)
            return np.exp(-distance) / np.exp(-distance).sum(axis=1, keepdims=True)

        a = near([[0.0, 0.0], [2.0, 0.0], [10.0, 0.0], [10.0, 4.0]], [[1.0, 0.0], [10.0, 2.0]])
        b = near([[1.0], [3.0], [2.5]], [[2.0], [2.5]])
        right_a, right_b = a[np.arange(4), [0, 0, 1, 1]], b[np.arange(3), [0, 0, 1]]
        ratio = right_a.mean() / right_b.mean()  # a is ahead, by less than 2
        assert 1 < ratio < 2
        entropy = -(a * np.log(a)).sum(axis=1).mean()
        close(losses["pmr/a"], -0.5 * (ratio - 1) * entropy)
        close(losses["pmr/b"], 2.0 * (ratio - 1) * -np.log(right_b).mean())
        losses["pmr/b"].backward()
        assert codes["b"].grad[:3].any()
        assert codes["a"].grad is None or not codes["a"].grad.any()
        pmr.at_epoch(2)
        assert self.heard(pmr)["pmr/a"].item() == 0  # no longer early

    def test_slower_and_faster_among_three(self):
        slow, fast = paces(torch.tensor([0.2, 0.5, 0.3]))  # the others' means are .4, .25, .35
        close(slow, [1.0, 0.0, 0.35 / 0.3 - 1])
        close(fast, [0.0, 1.0, 0.0])
        for pace in paces(torch.tensor([0.2, torch.nan, torch.nan])):
            assert pace.tolist() == [0, 0, 0]

    def test_a_row_at_its_centre_has_a_gradient_that_is_a_number(self):
        pmr = self.make(alpha=1.0)
        self.heard(pmr)
        pmr.at_epoch(1)
        codes = {"a": torch.zeros(5, 2), "b": torch.full((5, 1), 2.0, requires_grad=True)}
        sum(self.heard(pmr, codes).values()).backward()
        assert codes["b"].grad.isfinite().all()


class TestReconboost:
    LOGITS = {
        "a": torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
        "b": torch.tensor([[0.0, 2.0, 0.0], [0.0, 1.0, 1.0]]),
        "c": torch.tensor([[0.0, 0.0, 1.0], [3.0, 0.0, 0.0]]),
    }
    BATCH = Batch({}, {"t": torch.tensor([0, 2])}, torch.arange(2))

    def losses(self, logits=None, present=None, target=None, **more):
        logits = logits or self.LOGITS
        there = dict.fromkeys(logits, torch.ones(2, dtype=torch.bool)) | (present or {})
        outputs = outputs_of({m: torch.ones(2, 1) for m in logits}, there, logits)
        objective = Reconboost(dict.fromkeys(logits, 1), TASKS, **more)
        batch = self.BATCH if target is None else self.BATCH._replace(targets={"t": target})
        return objective(outputs, batch)

    def expected(self, m, others, last, rows, w1=1.0, w2=0.25, alpha=0.5):
        def softmax(x):
            return np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)

        said = {k: v.numpy().astype(float) for k, v in self.LOGITS.items()}
        p, q = softmax(said[m]), softmax(sum(said[k] for k in others))
        y, n = np.array([0, 2]), np.arange(2)
        each = (w1 - w2 * q[n, y]) * -np.log(p[n, y]) + alpha * ((p - softmax(said[last])) ** 2).mean(axis=1)
        return each[rows].mean()

    def test_by_hand(self):
        losses = self.losses()
        close(losses["reconboost/a"], self.expected("a", "bc", "c", [0, 1]))
        close(losses["reconboost/b"], self.expected("b", "ac", "a", [0, 1]))
        losses = self.losses(target=torch.tensor([0, -1]), w1=2.0, w2=1.0, alpha=0.0)
        close(losses["reconboost/c"], self.expected("c", "ab", "b", [0], 2.0, 1.0, 0.0))

    def test_each_term_teaches_the_learner_and_nobody_else(self):
        for weights in ({"w2": 0.0, "alpha": 0.0}, {"w1": 0.0, "w2": 0.0, "alpha": 1.0}, {"w1": 1.0, "w2": 1.0}):
            logits = {m: x.clone().requires_grad_() for m, x in self.LOGITS.items()}
            self.losses(logits, **weights)["reconboost/b"].backward()
            assert logits["b"].grad.any()
            assert logits["a"].grad is None
            assert logits["c"].grad is None

    def test_rows_that_the_rest_knows_teach_less(self):
        slopes = []
        for sure in (0.0, 2.0, 8.0):
            rest = torch.tensor([[sure, 0.0, 0.0], [0.0, 0.0, sure]])
            logits = {"a": torch.zeros(2, 3, requires_grad=True), "b": rest}
            self.losses(logits, w2=1.0, alpha=0.0)["reconboost/a"].backward()
            slopes.append(logits["a"].grad.norm().item())
        assert all(more > less for more, less in pairwise(slopes))

    def test_a_row_without_the_others_learns_by_itself(self):
        gone = torch.tensor([False, True])
        losses = self.losses(present={"b": gone, "c": gone})
        p = np.exp(1) / (np.exp(1) + 2)
        second = self.expected("a", "bc", "c", [1])
        close(losses["reconboost/a"], (-log(p) + second) / 2)
        behind = {**self.LOGITS, "b": self.LOGITS["b"].clone().index_fill(0, torch.tensor([0]), torch.nan)}
        one = {"b": gone}
        assert self.losses(behind, one)["reconboost/a"] == self.losses(present=one)["reconboost/a"]
        assert self.losses(target=torch.tensor([-1, -1]))["reconboost/a"] == 0

    def test_refuses_what_has_no_bound(self):
        with pytest.raises(ValueError, match="0 <= w2 <= w1"):
            self.losses(w1=0.5, w2=1.0)
        with pytest.raises(ValueError, match="alone"):
            Reconboost({"a": 1}, TASKS)

    def test_turns(self):
        turns = Turns(NAMES, epochs=20, each=2, rectify=1)
        phases = [turns(epoch, 0) for epoch in range(12)]
        assert [p.losses[0] for p in phases[:9:3]] == [f"reconboost/{m}" for m in NAMES]
        assert phases[0] == phases[1] == phases[9]
        assert [p.frozen for p in phases[2:12:3]] == [()] * 4
        assert turns.settles == 8
        with pytest.raises(ValueError, match="do not fit into 8"):
            Turns(NAMES, epochs=8, each=2, rectify=1)

    def test_in_its_turn_one_encoder_learns(self):
        learner = learner_of(Plain(["task/t"]), {"r": Reconboost(DIMS, TASKS)}, "late", Turns(NAMES, epochs=6))
        before = {m: encoder.layer.weight.clone() for m, encoder in learner.model.encoders.items()}
        trainer(1).fit(learner, rows(), rows(1))
        assert [not torch.equal(before[m], learner.model.encoders[m].layer.weight) for m in NAMES] == [
            True,
            False,
            False,
        ]


WAYS = {
    "ogm_ge": lambda: (OgmGe(TASKS), {}, None),
    "agm": lambda: (Agm(NAMES, TASKS), {}, None),
    "gradient_blending": lambda: (GradientBlending(LOSSES, NAMES, TASKS, every=1), unimodal(), None),
    "mmpareto": lambda: (MMPareto(LOSSES), unimodal(), None),
    "pmr": lambda: (Plain(["task/t"]), {"pmr": Pmr(DIMS, TASKS)}, None),
    "reconboost": lambda: (Plain(["task/t"]), {"reconboost": Reconboost(DIMS, TASKS)}, Turns(NAMES, epochs=6)),
}


def way(name, level="feature"):
    balancer, objectives, schedule = WAYS[name]()
    return learner_of(balancer, objectives, level, schedule)


def rows(batches=2):
    return DataLoader([batch_of(seed=seed) for seed in range(batches)], batch_size=None)


def trainer(epochs, **more):
    return L.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **more,
    )


@pytest.mark.parametrize(
    ("name", "level"), [*((name, "feature") for name in WAYS), ("mmpareto", "late"), ("pmr", "late")]
)
def test_learns_and_a_resumed_run_is_the_same_run(name, level, tmp_path):
    through = way(name, level)
    trainer(6).fit(through, rows(), rows(1))
    assert through.figures["val/accuracy"] > 0.6  # chance is a third
    first = way(name, level)
    half = trainer(3)
    half.fit(first, rows(), rows(1))
    half.save_checkpoint(tmp_path / "half.ckpt")
    resumed = way(name, level)
    trainer(6).fit(resumed, rows(), rows(1), ckpt_path=tmp_path / "half.ckpt")
    found, expected = resumed.state_dict(), through.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.mark.parametrize("name", WAYS)
def test_half_the_precision_is_enough(name):
    learner = way(name)
    trainer(1, precision="bf16-mixed").fit(learner, rows(), rows(1))
    assert all(p.isfinite().all() for p in learner.parameters())


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("labelled", [False, True])
def test_batches_of_one_row_and_without_labels(name, labelled):
    learner = way(name)
    batch = batch_of(rows=1, whole=True)
    if not labelled:
        batch = batch._replace(targets={"t": torch.tensor([-1])})
    assert all(g.isfinite().all() for g in gradients(learner, batch).values())


class TestConfig:
    TYPED = ("threads=1", "trainer.max_epochs=12")

    @pytest.fixture(scope="class")
    @classmethod
    def prepared(cls):
        cfg = compose([*cls.TYPED], Catalog())
        examples = load(cfg)
        return prepare(cfg, examples, divide(cfg, examples)[0][1])

    @pytest.mark.parametrize(
        ("typed", "losses"),
        [
            (["balance=ogm_ge"], ["task/digit"]),
            (["balance=agm", "balance.task=digit"], ["task/digit"]),
            (
                ["balance=mmpareto", "objectives=[unimodal]"],
                ["task/digit", *(f"unimodal/{m}-digit" for m in ("image", "audio", "text"))],
            ),
            (["objectives=[pmr]"], ["task/digit", "pmr/image", "pmr/audio", "pmr/text"]),
            (
                ["objectives=[reconboost]", "schedule=reconboost"],
                ["task/digit", "reconboost/image", "reconboost/audio", "reconboost/text"],
            ),
        ],
    )
    def test_is_built_from_the_command_line(self, prepared, typed, losses):
        assert list(parts(compose([*self.TYPED, *typed], Catalog()), prepared, 0).losses) == losses

    def test_blending_by_itself_is_refused(self, prepared):
        with pytest.raises(ConfigError, match=r"balance: gradient_blending .*\n  to go on: objectives=\[unimodal\]"):
            parts(compose([*self.TYPED, "balance=gradient_blending"], Catalog()), prepared, 0)
