"""Objectives between modalities: their formulas, what they ask for, and what they leave alone."""

import re
import sys
from copy import deepcopy
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from ranks import aligned, linear, outputs, rank
from scipy.linalg import sqrtm
from scipy.special import expit, log_softmax, softmax
from scipy.stats import ortho_group
from torch import distributed, multiprocessing

from mmfuse import masks
from mmfuse.balance.plain import Plain
from mmfuse.encoders.linear import Linear
from mmfuse.fusion.mean import MeanFusion
from mmfuse.learner.learner import Learner
from mmfuse.models.feature import FeatureFusion
from mmfuse.objectives.barlow import Barlow, twins
from mmfuse.objectives.cca import Cca, correlation
from mmfuse.objectives.cmd import Cmd
from mmfuse.objectives.contrastive import Contrastive
from mmfuse.objectives.coral import Coral, coral
from mmfuse.objectives.cycle import Cycle
from mmfuse.objectives.distillation import Distillation
from mmfuse.objectives.mmd import Mmd, discrepancy
from mmfuse.objectives.reconstruction import Reconstruction
from mmfuse.objectives.siglip import Siglip
from mmfuse.objectives.vicreg import Vicreg
from mmfuse.schedules.synchronous import Synchronous
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.multilabel import Multilabel
from mmfuse.types import Batch, Outputs, Signal

CONFIGS = Path(__file__).parents[1] / "configs" / "objectives"
DIMS = {"audio": 3, "image": 3, "text": 3}
TASKS = {"kind": Multiclass(["a", "b", "c"])}
SIX = dict.fromkeys(DIMS, 6)
PAIRED = ("contrastive", "siglip", "barlow", "vicreg", "cca")
MARGINS = ("coral", "mmd", "cmd")
TOLD = ("reconstruction", "cycle")
PROJECTED = PAIRED


@pytest.fixture
def objective(build):
    """An objective as its yaml has it, with some keys of its own."""

    def made(name, dims=DIMS, **keys):
        given = {"dims": dims, "tasks": TASKS} if name in ("contrastive", "distillation") else {"dims": dims}
        return build(CONFIGS / f"{name}.yaml", **given, keys=keys)

    return made


def vectors(rows, present=None, **more):
    """Signals of (B, D) arrays, all there unless said."""
    here = {m: torch.ones(len(x), dtype=torch.bool) if present is None else present[m] for m, x in rows.items()}
    return {m: Signal.vector(torch.as_tensor(x), here[m]) for m, x in rows.items()}


def batch(rows, labels=None):
    return Batch({}, {"kind": torch.full((rows,), -1) if labels is None else labels}, torch.arange(rows))


def of(objective, x, y, labels=None):
    """Its loss between two modalities with these codes."""
    losses = objective(outputs(vectors({"a": x, "b": y})), batch(len(x), labels))
    return next(iter(losses.values()))


X = np.array([[1.0, 2.0, -1.0], [0.5, -1.0, 3.0]])  # the 2x3 example
Y = np.array([[2.0, 1.0, 0.0], [-1.0, 0.5, 2.0]])
TWO = {"a": 3, "b": 3}


def directions(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


class TestContrastive:
    def test_worked_by_hand(self):
        """Two rows, alike by 1 and 0 with their own and the other's: log(1 + exp(-1 / temperature))."""
        x = torch.eye(2)
        assert of(Contrastive({"a": 2, "b": 2}, {}, temperature=0.5), x, x).item() == pytest.approx(
            np.log(1 + np.exp(-2)), rel=1e-6
        )

    def test_is_cross_entropy_of_rows_and_columns(self):
        scores = directions(X) @ directions(Y).T / 0.3
        expected = -(np.diag(log_softmax(scores, axis=1)) + np.diag(log_softmax(scores, axis=0))).mean() / 2
        found = of(Contrastive(TWO, {}, temperature=0.3, learned=False), torch.tensor(X), torch.tensor(Y))
        assert found.item() == pytest.approx(expected, rel=1e-6)

    def test_rows_of_one_label_belong_together(self):
        """All of one label: each row's mean over all columns. Without labels, the pairs alone."""
        x, y = torch.randn(4, 3), torch.randn(4, 3)
        several = Contrastive(TWO, TASKS, positives="kind")
        alone = Contrastive(TWO, TASKS)
        scores = (directions(x.numpy()) @ directions(y.numpy()).T) / 0.07
        expected = -(log_softmax(scores, axis=1).mean() + log_softmax(scores, axis=0).mean()) / 2
        assert of(several, x, y, torch.ones(4, dtype=torch.long)).item() == pytest.approx(expected, rel=1e-5)
        unlabelled = torch.full((4,), -1)
        torch.testing.assert_close(of(several, x, y, unlabelled), of(alone, x, y, unlabelled))
        different = torch.tensor([0, 1, 2, -1])
        torch.testing.assert_close(of(several, x, y, different), of(alone, x, y, different))

    def test_its_scale_is_learned_and_held(self):
        """At 100 at most, where it still has a slope to come down by."""
        objective = Contrastive(TWO, {})
        assert objective.log_scale.exp().item() == pytest.approx(1 / 0.07)
        objective.log_scale.data.fill_(9.0)
        x = torch.eye(3)
        of(objective, x, x[[1, 0, 2]]).backward()
        assert objective.log_scale.exp().item() == pytest.approx(100, rel=1e-5)
        assert objective.log_scale.grad.item() > 0  # two rows in three are wrong, and a lower scale says so less surely
        fixed = Contrastive(TWO, {}, temperature=0.001, learned=False)
        of(fixed, x, x)
        assert fixed.log_scale.exp().item() == pytest.approx(1000, rel=1e-4)
        assert not fixed.log_scale.requires_grad

    def test_the_length_of_codes_is_nothing_to_it(self):
        x, y = torch.randn(5, 3), torch.randn(5, 3)
        objective = Contrastive(TWO, {})
        torch.testing.assert_close(of(objective, x, y), of(objective, 30 * x, 0.2 * y))


class TestSiglip:
    def test_worked_by_hand(self):
        """As it begins: two rows right by softplus(0) = log 2 each, two pairs of others by softplus(-10)."""
        x = torch.eye(2)
        expected = np.log(2) + np.log1p(np.exp(-10.0))
        assert of(Siglip({"a": 2, "b": 2}), x, x).item() == pytest.approx(expected, rel=1e-6)

    def test_asks_of_each_pair_by_itself(self):
        chance = expit(3 * directions(X) @ directions(Y).T - 1)  # of being one row
        own = np.eye(2)
        expected = -(own * np.log(chance) + (1 - own) * np.log(1 - chance)).sum() / 2
        found = of(Siglip(TWO, scale=3.0, bias=-1.0), torch.tensor(X), torch.tensor(Y))
        assert found.item() == pytest.approx(expected, rel=1e-6)


class TestBarlow:
    def test_is_numpys_correlations(self, random):
        x, y = random.normal(size=(50, 3)), random.normal(size=(50, 3))
        c = np.corrcoef(x, y, rowvar=False)[:3, 3:]
        off = ~np.eye(3, dtype=bool)
        expected = ((1 - np.diag(c)) ** 2).sum() + 0.0051 * (c[off] ** 2).sum()
        assert of(Barlow(TWO), torch.tensor(x), torch.tensor(y)).item() == pytest.approx(expected, rel=1e-4)

    def test_does_not_see_units(self, random):
        x, y = (torch.tensor(random.normal(size=(50, 3))) for _ in "xy")
        torch.testing.assert_close(twins(x, y, 1.0), twins(7 * x + 3, y, 1.0), rtol=1e-4, atol=0)


class TestVicreg:
    def test_is_numpys(self):
        """Means, deviations over n - 1 and covariances, of the 2x3 example."""
        spread = [np.maximum(0, 1 - np.sqrt(z.var(axis=0, ddof=1) + 1e-4)).mean() for z in (X, Y)]
        tables = [np.cov(z, rowvar=False) for z in (X, Y)]
        others = [(t**2).sum() - (np.diag(t) ** 2).sum() for t in tables]
        expected = 25 * ((X - Y) ** 2).mean() + 25 * np.mean(spread) + sum(others) / 3
        assert of(Vicreg(TWO), torch.tensor(X), torch.tensor(Y)).item() == pytest.approx(expected, rel=1e-6)

    def test_collapse_costs(self):
        """Codes that all are one vector agree, and cost 25 x (1 - sqrt(1e-4))."""
        x = torch.ones(6, 3)
        assert of(Vicreg(TWO), x, x).item() == pytest.approx(25 * 0.99, rel=1e-5)


class TestCca:
    def test_is_the_nuclear_norm(self, random):
        x = random.normal(size=(40, 3))
        y = x @ random.normal(size=(3, 3)) + random.normal(size=(40, 3))
        s = np.cov(x, y, rowvar=False)
        within = [np.linalg.inv(sqrtm(b + 1e-3 * np.eye(3))) for b in (s[:3, :3], s[3:, 3:])]
        t = within[0] @ s[:3, 3:] @ within[1]
        found = of(Cca(TWO), torch.tensor(x), torch.tensor(y)).item()
        assert found == pytest.approx(-np.linalg.svd(t, compute_uv=False).sum(), rel=1e-6)

    def test_any_invertible_map_of_codes_is_the_same(self, random):
        x = torch.tensor(random.normal(size=(40, 3)))
        y = x @ torch.tensor(random.normal(size=(3, 3))) + torch.tensor(random.normal(size=(40, 3)))
        turned = y @ torch.tensor(random.normal(size=(3, 3)) + 3 * np.eye(3)) + 5
        torch.testing.assert_close(correlation(x, y, 1e-9), correlation(x, turned, 1e-9), rtol=1e-5, atol=0)
        assert correlation(x, 2 * x + 1, 1e-9).item() == pytest.approx(3, rel=1e-6)

    def test_its_gradient_is_that_of_differences(self, random):
        x, y = (torch.tensor(random.normal(size=(8, 3)), requires_grad=True) for _ in "xy")
        assert torch.autograd.gradcheck(partial(correlation, ridge=1e-2), (x, y))

    def test_advises_against_small_batches(self):
        assert Cca(TWO).advice(15) == ""
        assert "batch_size=15 or more" in Cca(TWO).advice(14)
        assert "projection=2" in Cca(TWO).advice(14)


class TestMargins:
    def test_coral_is_numpys_covariances(self):
        expected = ((np.cov(X, rowvar=False) - np.cov(Y, rowvar=False)) ** 2).sum() / (4 * 9)
        assert of(Coral(TWO), torch.tensor(X), torch.tensor(Y)).item() == pytest.approx(expected, rel=1e-6)

    @pytest.mark.parametrize("unbiased", [False, True])
    def test_mmd_is_a_sum_over_pairs(self, unbiased):
        """Of the 2x3 example, by loops: six distances, whose lower middle one is torch's median."""
        z = np.concatenate([X, Y])
        squares = {(i, j): ((z[i] - z[j]) ** 2).sum() for i in range(4) for j in range(4)}
        lower = sorted(squares[i, j] for i, j in combinations(range(4), 2))[2]

        def kernel(i, j):
            return sum(np.exp(-squares[i, j] / (f * lower)) for f in (0.5, 2.0))

        def within(rows):
            found = [kernel(i, j) for i in rows for j in rows if not (unbiased and i == j)]
            return np.mean(found)

        expected = within((0, 1)) + within((2, 3)) - 2 * np.mean([kernel(i, j) for i in (0, 1) for j in (2, 3)])
        found = of(Mmd(TWO, factors=[0.5, 2.0], unbiased=unbiased), torch.tensor(X), torch.tensor(Y))
        assert found.item() == pytest.approx(expected, rel=1e-5)

    def test_mmd_of_one_cloud(self, random):
        """The biased estimate is never negative; the unbiased one is 0 in the mean over draws."""
        draws = [torch.tensor(random.normal(size=(2, 20, 3))) for _ in range(40)]
        biased = [discrepancy(x, y, [1.0]).item() for x, y in draws]
        unbiased = [discrepancy(x, y, [1.0], unbiased=True).item() for x, y in draws]
        assert min(biased) > 0
        assert min(unbiased) < 0 < max(unbiased)
        assert abs(np.mean(unbiased)) < 3 * np.std(unbiased) / 40**0.5

    def test_cmd_is_numpys_moments(self):
        x, y = expit(X), expit(Y)
        central = [[((z - z.mean(axis=0)) ** k).mean(axis=0) for z in (x, y)] for k in range(2, 6)]
        pairs = [[x.mean(axis=0), y.mean(axis=0)], *central]
        expected = sum(np.linalg.norm(a - b) for a, b in pairs)
        assert of(Cmd(TWO), torch.tensor(X), torch.tensor(Y)).item() == pytest.approx(expected, rel=1e-6)

    @pytest.mark.parametrize("name", MARGINS)
    def test_which_rows_belong_together_is_nothing_to_them(self, name, objective):
        x, y = torch.randn(9, 3), torch.randn(9, 3)
        made = objective(name, TWO)
        torch.testing.assert_close(of(made, x, y), of(made, x, y.flip(0)))
        assert of(made, x, x.flip(0)).item() == pytest.approx(0, abs=1e-6)
        assert of(made, x, 2 * y + 1).item() > 0.01

    def test_coral_does_not_see_means(self, random):
        x, y = torch.randn(9, 3), torch.randn(9, 3)
        torch.testing.assert_close(coral(x, y), coral(x + 5, y), rtol=1e-4, atol=1e-6)

    @pytest.mark.parametrize("name", MARGINS)
    def test_rows_that_have_one_count(self, name, objective):
        """Those of the first five that have audio, and of the last five that have text: no row has both."""
        x, y = torch.randn(10, 3), torch.randn(10, 3)
        first = torch.arange(10) < 5
        losses = objective(name, TWO)(outputs(vectors({"a": x, "b": y}, {"a": first, "b": ~first})), batch(10))
        torch.testing.assert_close(losses[f"align/{name}/a-b"], of(objective(name, TWO), x[:5], y[5:]))


class TestReconstruction:
    def test_is_the_mean_square(self):
        made = Reconstruction({"a": 3, "b": 3})
        w = made.tell["a-b"][0].weight.detach().numpy().astype(float)
        b = made.tell["a-b"][0].bias.detach().numpy().astype(float)
        losses = made(outputs(vectors({"a": X.astype(np.float32), "b": Y.astype(np.float32)})), batch(2))
        assert list(losses) == ["reconstruction/a-b", "reconstruction/b-a"]
        assert losses["reconstruction/a-b"].item() == pytest.approx(((X @ w.T + b - Y) ** 2).mean(), rel=1e-5)

    @pytest.mark.parametrize("detach", [True, False])
    def test_what_is_told_learns_only_if_asked(self, detach):
        x, y = torch.randn(4, 3, requires_grad=True), torch.randn(4, 2, requires_grad=True)
        losses = Reconstruction({"a": 3, "b": 2}, hidden=5, detach=detach)(outputs(vectors({"a": x, "b": y})), batch(4))
        losses["reconstruction/a-b"].backward()
        assert x.grad.abs().sum() > 0
        assert (y.grad is None) == detach


class TestCycle:
    def test_is_there_and_back(self):
        made = Cycle({"a": 3, "b": 2}, hidden=None, forth=1.0, back=10.0)
        x, y = torch.randn(4, 3), torch.randn(4, 2)
        losses = made(outputs(vectors({"a": x, "b": y})), batch(4))
        (w, b), (v, c) = ((made.translate[n][0].weight, made.translate[n][0].bias) for n in ("a-b", "b-a"))
        there = x @ w.T + b
        again = there @ v.T + c
        expected = (there - y).square().mean() + 10 * (again - x).square().mean()
        torch.testing.assert_close(losses["cycle/a-b"], expected)

    def test_a_rotation_and_its_inverse_cost_nothing(self):
        turn = torch.tensor(ortho_group.rvs(3, random_state=0), dtype=torch.float32)
        made = Cycle(TWO, hidden=None)
        for name, weight in (("a-b", turn), ("b-a", turn.T)):
            made.translate[name][0].load_state_dict({"weight": weight, "bias": torch.zeros(3)})
        x = torch.randn(5, 3)
        for loss in made(outputs(vectors({"a": x, "b": x @ turn.T})), batch(5)).values():
            assert loss.item() == pytest.approx(0, abs=1e-10)

    def test_one_source(self):
        made = Cycle(DIMS, source="text")
        assert made.names == ("cycle/text-audio", "cycle/text-image")
        assert set(made.translate) == {"text-audio", "audio-text", "text-image", "image-text"}


class TestDistillation:
    def said(self, encoded):
        """Logits are the sum of the codes that are heard."""
        return {"kind": torch.stack([s.pooled() for s in encoded.values()]).sum(dim=0)}

    def of(self, made, encoded):
        return made(Outputs(self.said(encoded), encoded, self.said), batch(len(next(iter(encoded.values())).data)))

    def test_is_the_divergence_of_soft_answers(self):
        x, y = torch.tensor(X), torch.tensor(Y)
        losses = self.of(Distillation(TWO, TASKS, weight=1.0), vectors({"a": x, "b": y}))
        t, s = softmax((X + Y) / 4, axis=1), softmax(X / 4, axis=1)
        expected = 16 * (t * np.log(t / s)).sum(axis=1).mean()
        assert losses["distillation/a-kind"].item() == pytest.approx(expected, rel=1e-6)

    def test_slopes_are_those_of_squared_logits_when_hot(self):
        """For high T, T^2 KL comes to half the mean over classes of the squares of centred logits' differences."""
        x, y = torch.tensor(X), torch.tensor(Y)
        losses = self.of(Distillation(TWO, TASKS, temperature=1e4, weight=1.0), vectors({"a": x, "b": y}))
        other = Y - Y.mean(axis=1, keepdims=True)
        assert losses["distillation/a-kind"].item() == pytest.approx((other**2).mean() / 2, rel=1e-3)

    def test_the_teacher_learns_nothing(self):
        x, y = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
        made = Distillation(TWO, TASKS, student="a")
        assert made.names == ("distillation/a-kind",)
        self.of(made, vectors({"a": x, "b": y}))["distillation/a-kind"].backward()
        assert x.grad.abs().sum() > 0
        assert y.grad is None or not y.grad.any()

    def test_rows_that_only_the_student_has_count_for_nothing(self):
        x, y = torch.randn(6, 3), torch.randn(6, 3)
        here = {"a": torch.tensor([True] * 5 + [False]), "b": torch.tensor([True, True, False, False, False, True])}
        made = Distillation(TWO, TASKS)
        found = self.of(made, vectors({"a": x, "b": y}, here))["distillation/a-kind"]
        torch.testing.assert_close(found, self.of(made, vectors({"a": x[:2], "b": y[:2]}))["distillation/a-kind"])

    def test_teachers_may_be_named(self):
        made = Distillation(DIMS, TASKS, teacher=["text"], weight=1.0)
        assert made.names == ("distillation/audio-kind", "distillation/image-kind")
        x = {m: torch.randn(4, 3) for m in DIMS}
        found = self.of(made, vectors(x))["distillation/audio-kind"]
        two = self.of(Distillation(TWO, TASKS, teacher=["b"], weight=1.0), vectors({"a": x["audio"], "b": x["text"]}))
        torch.testing.assert_close(found, two["distillation/a-kind"])


class TestAll:
    """What holds for every loss between two modalities."""

    @pytest.fixture
    def losses(self, objective):
        """By the name of an objective and codes by modality: its losses."""

        def found(name, rows, present=None, **keys):
            encoded = vectors(rows, present)
            dims = {m: x.shape[1] for m, x in rows.items()}
            made = objective(name, dims, **keys)
            said = TestDistillation().said
            return made(Outputs(said(encoded), encoded, said), batch(len(next(iter(rows.values())))))

        return found

    EVERY = (*PAIRED, *MARGINS, *TOLD, "distillation")

    @pytest.mark.parametrize("name", EVERY)
    def test_names_are_told_beforehand(self, name, objective, losses):
        found = losses(name, {m: torch.randn(6, 3) for m in DIMS})
        assert tuple(found) == objective(name).names
        assert all(loss.shape == () and loss.isfinite() for loss in found.values())

    @pytest.mark.parametrize("name", EVERY)
    @pytest.mark.parametrize("case", ["zeros", "one_vector", "the_same", "one_row", "no_row", "large"])
    def test_no_trap_is_not_a_number(self, name, case, losses):
        x = {m: torch.randn(8, 3) for m in DIMS}
        present = {m: torch.ones(8, dtype=torch.bool) for m in DIMS}
        if case == "zeros":
            x = {m: torch.zeros(8, 3) for m in DIMS}
        elif case == "one_vector":
            x = {m: torch.ones(8, 3) for m in DIMS}
        elif case == "the_same":
            x = dict.fromkeys(DIMS, x["text"])
        elif case == "large":
            x = {m: 1e3 * data for m, data in x.items()}
        elif case == "one_row":
            present["audio"] = torch.arange(8) == 3
        elif case == "no_row":
            present["audio"] = torch.zeros(8, dtype=torch.bool)
        x = {m: data.clone().requires_grad_() for m, data in x.items()}
        found = losses(name, x, present)
        torch.stack(list(found.values())).sum().backward()
        assert all(loss.isfinite() for loss in found.values())
        assert all(data.grad is None or data.grad.isfinite().all() for data in x.values())
        if case == "no_row":
            assert all(loss == 0 for n, loss in found.items() if "audio" in n)
            assert x["audio"].grad is None or not x["audio"].grad.any()

    @pytest.mark.parametrize("name", EVERY)
    def test_what_is_hidden_is_nothing(self, name, losses):
        """Neither in the losses nor in any gradient, whatever stands behind the mask."""
        present = {m: torch.rand(12) < 0.7 for m in DIMS}
        x = {m: torch.randn(12, 3) for m in DIMS}
        found = []
        for behind in (0.0, 1e30, torch.nan, torch.inf):
            torch.manual_seed(0)  # the same weights
            rows = {m: d.masked_fill(~present[m][:, None], behind).requires_grad_() for m, d in x.items()}
            told = losses(name, rows, present)
            total = torch.stack(list(told.values())).sum()
            total.backward()
            assert not any(rows[m].grad[~present[m]].any() for m in DIMS)
            found.append(torch.stack(list(told.values())))
        for other in found[1:]:
            assert torch.equal(found[0], other)

    @pytest.mark.parametrize("name", [*PAIRED, *TOLD, "distillation"])
    def test_rows_that_have_both_are_as_if_alone(self, name, losses):
        x = {"a": torch.randn(12, 3), "b": torch.randn(12, 3)}
        present = {"a": torch.arange(12) < 9, "b": torch.arange(12) > 2}
        torch.manual_seed(0)
        some = losses(name, x, present)
        torch.manual_seed(0)
        alone = losses(name, {m: data[3:9] for m, data in x.items()})
        for n, loss in some.items():
            torch.testing.assert_close(loss, alone[n])

    @pytest.mark.parametrize("name", EVERY)
    def test_halves_of_precision_do_not_break_it(self, name, losses):
        rows = {m: torch.randn(32, 3) for m in DIMS}
        torch.manual_seed(0)
        whole = losses(name, rows)
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16):
            found = losses(name, {m: data.bfloat16() for m, data in rows.items()})
        for n, loss in found.items():
            torch.testing.assert_close(loss.float(), whole[n], rtol=0.1, atol=0.02)

    @pytest.mark.parametrize("name", EVERY)
    def test_one_modality_has_nobody_to_meet(self, name, objective):
        with pytest.raises(ValueError, match="two modalities are needed"):
            objective(name, {"text": 3})

    @pytest.mark.parametrize("name", [*PAIRED, *MARGINS])
    def test_widths_that_differ_are_refused(self, name, objective):
        with pytest.raises(ValueError, match=r"encoder\.audio\.dim=3, encoder\.text\.dim=4") as caught:
            objective(name, {"audio": 3, "text": 4})
        assert ("projection=64" in str(caught.value)) == (name in PROJECTED)

    @pytest.mark.parametrize("name", PROJECTED)
    def test_a_projection_is_a_space_of_its_own(self, name, losses, objective):
        rows = {"audio": torch.randn(12, 3), "text": torch.randn(12, 4)}
        made = objective(name, {"audio": 3, "text": 4}, projection=2)
        torch.nn.init.zeros_(made.projections["audio"].bias)
        torch.nn.init.zeros_(made.projections["text"].bias)
        codes = {m: rows[m] @ made.projections[m].weight.T for m in rows}
        found = made(outputs(vectors(rows)), batch(12))[f"align/{name}/audio-text"]
        plain = objective(name, {"a": 2, "b": 2})
        torch.testing.assert_close(found, of(plain, codes["audio"], codes["text"]))
        assert sum(p.numel() for p in made.projections.parameters()) == 2 * (3 + 1) + 2 * (4 + 1)

    @pytest.mark.parametrize("name", [n for n in EVERY if n != "cycle"])
    def test_a_weight_is_a_factor(self, name, losses):
        rows = {m: torch.randn(6, 3) for m in DIMS}
        torch.manual_seed(0)
        one = losses(name, rows, weight=1.0)
        torch.manual_seed(0)
        three = losses(name, rows, weight=3.0)
        for n, loss in one.items():
            torch.testing.assert_close(three[n], 3 * loss)

    @pytest.mark.parametrize(
        ("name", "key", "value"),
        [
            ("contrastive", "temperature", 0.0),
            ("contrastive", "temperature", 0.005),
            ("contrastive", "positives", "sort"),
            ("siglip", "scale", 0.0),
            ("barlow", "redundancy", -1.0),
            ("vicreg", "variance", -1.0),
            ("cca", "ridge", 0.0),
            ("mmd", "factors", []),
            ("mmd", "factors", [0.0]),
            ("cmd", "moments", 0),
            ("cycle", "source", "smell"),
            ("cycle", "back", -1.0),
            ("distillation", "temperature", 0.0),
            ("distillation", "student", "smell"),
            ("distillation", "teacher", ["smell"]),
            *((name, "weight", -1.0) for name in EVERY if name != "cycle"),
        ],
    )
    def test_values_that_cannot_be_are_refused(self, name, key, value, objective):
        with pytest.raises(ValueError, match=re.escape(str(value)) if key != "teacher" else "smell"):
            objective(name, DIMS, **{key: value})

    def test_only_tasks_of_classes_are_taught_or_positive(self):
        tags = {"tags": Multilabel(["x", "y"])}
        with pytest.raises(ValueError, match="one class a row"):
            Distillation(TWO, tags)
        with pytest.raises(ValueError, match="one class a row"):
            Contrastive(TWO, tags, positives="tags")
        with pytest.raises(ValueError, match="none would learn"):
            Distillation(TWO, TASKS, student="a", teacher=["a"])


@pytest.mark.skipif(not distributed.is_available() or not distributed.is_gloo_available(), reason="gloo is needed")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
class TestRanks:
    """Two processes that talk by gloo, with batches of different size."""

    START = "spawn" if torch.cuda.is_available() or sys.platform != "linux" else "fork"  # that imports torch once only

    def test_two_ranks_align_as_one_process(self, tmp_path):
        """The loss of the joined batch on both, and by DDP's mean its gradient."""
        dims = {"audio": 4, "text": 5}
        rows = {m: torch.randn(11, d) for m, d in dims.items()}
        present = {m: torch.rand(11) < 0.8 for m in dims}
        labels = torch.randint(3, (11,))
        parts = [
            ({m: x[some] for m, x in rows.items()}, {m: p[some] for m, p in present.items()}, labels[some])
            for some in (slice(0, 7), slice(7, 11))
        ]
        two, three = dict.fromkeys(dims, 2), dict.fromkeys(dims, 3)
        case = [
            (Contrastive(three, TASKS, positives="kind", projection=2), linear(dims, 3)),
            (Siglip(three), linear(dims, 3)),
            (Barlow(two), linear(dims, 2)),
            (Coral(two), linear(dims, 2)),
        ]
        about = (tmp_path / "store", case, parts, tmp_path)
        multiprocessing.start_processes(rank, about, nprocs=2, start_method=self.START)
        told = [torch.load(tmp_path / f"{number}.pt") for number in (0, 1)]
        for k, (objective, encoders) in enumerate(case):
            loss, gradients = aligned(objective, encoders, rows, present, labels)
            assert any(g.abs().sum() > 0.01 for g in gradients)
            for found, averaged in (told[0][k], told[1][k]):
                torch.testing.assert_close(found, loss)
                for g, expected in zip(averaged, gradients, strict=True):
                    torch.testing.assert_close(g, expected, rtol=1e-4, atol=1e-5)


class TestInTheLearner:
    @pytest.fixture
    def learner(self):
        """Two encoders of random features, a task, and an objective of each kind."""

        def made(seed):
            torch.manual_seed(seed)
            dims = {"audio": 8, "text": 8}
            encoders = {"audio": Linear(4, 8), "text": Linear(5, 8)}
            model = FeatureFusion(encoders, TASKS, MeanFusion)
            objectives = {
                "contrastive": Contrastive(dims, TASKS, projection=4),
                "cycle": Cycle(dims),
                "distillation": Distillation(dims, TASKS),
            }
            losses = ["task/kind", *(n for o in objectives.values() for n in o.names)]
            optimizer = partial(torch.optim.AdamW, lr=1e-2)
            return Learner(model, TASKS, objectives, Plain(losses), Synchronous(), optimizer)

        return made

    @pytest.fixture
    def rows(self):
        kind = torch.randint(3, (24,))
        place = torch.eye(3)[kind] + 0.2 * torch.randn(24, 3)
        seen = {"audio": place @ torch.randn(3, 4), "text": place @ torch.randn(3, 5)}
        present = {"audio": torch.arange(24) > 2, "text": torch.arange(24) < 20}
        return Batch(vectors(seen, present), {"kind": kind}, torch.arange(24))

    def steps(self, learner, optimizer, rows, number):
        totals = []
        for _ in range(number):
            learner.phase = learner.schedule(0, 0)
            found = learner.training_step(rows, 0)
            optimizer.zero_grad()
            found["loss"].backward()
            optimizer.step()
            totals.append(found["told"])
        return totals

    def test_learns_and_goes_on_where_it_stopped(self, learner, rows):
        one = learner(0)
        optimizer = one.configure_optimizers()
        totals = self.steps(one, optimizer, rows, 30)
        assert totals[-1] < 0.5 * totals[0]
        other = learner(1)
        other.load_state_dict(one.state_dict())
        again = other.configure_optimizers()
        again.load_state_dict(deepcopy(optimizer.state_dict()))
        assert self.steps(one, optimizer, rows, 2) == self.steps(other, again, rows, 2)
        assert all(torch.equal(p, q) for p, q in zip(one.parameters(), other.parameters(), strict=True))

    def test_what_is_masked_from_the_tasks_is_still_aligned(self, learner, rows):
        """As with schedule=transfer: the tasks hear text alone, and audio learns from the objectives."""
        one = learner(0)
        encoded = one.model.encode(rows.signals)
        heard = one.model.outputs(masks.keep(encoded, {"text"}), encoded)
        loss = one.objectives["contrastive"](heard, rows)["align/contrastive/audio-text"]
        loss.backward()
        assert one.model.encoders["audio"].layer.weight.grad.abs().sum() > 0
