"""Penalties, smoothed labels, mixed rows, averaged weights and rates: each against numbers worked by hand."""

import numpy as np
import pytest
import pytorch_lightning as L
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from mmfuse.balance.plain import Plain
from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.encoders.identity import Identity
from mmfuse.errors import ConfigError, Interrupted
from mmfuse.fusion.concat import ConcatFusion
from mmfuse.fusion.qmf import QmfFusion
from mmfuse.fusion.tmc import TmcFusion
from mmfuse.learner.averaging import NO_AVERAGE, Averaging
from mmfuse.learner.fit import Patience, build, fit
from mmfuse.learner.learner import Learner
from mmfuse.learner.mixup import Mix, drawn, paired
from mmfuse.learner.penalty import Penalty, weights
from mmfuse.learner.rates import Rates
from mmfuse.learner.stop import Stop
from mmfuse.listener import Listener
from mmfuse.models.feature import FeatureFusion
from mmfuse.models.late import LateFusion
from mmfuse.run.prepare import divide, load, prepare
from mmfuse.run.settings import check_weights
from mmfuse.schedules.synchronous import Synchronous
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.regression import Regression
from mmfuse.types import Batch, Signal


def learner(**more):
    """Two vectors of 3 features, three classes."""
    torch.manual_seed(0)
    tasks = {"t": Multiclass("xyz")}
    model = FeatureFusion({m: Identity(3) for m in "ab"}, tasks, lambda dims: ConcatFusion(dims, dim=8, dropout=0.0))
    return Learner(
        model, tasks, {}, Plain(["task/t"]), Synchronous(), lambda params: torch.optim.SGD(params, lr=0.1), **more
    )


def batches(number=4, rows=8):
    found = []
    for k in range(number):
        dice = torch.Generator().manual_seed(k)
        target = torch.randint(0, 3, (rows,), generator=dice)
        data = {m: torch.randn(rows, 3, generator=dice) + target[:, None] for m in "ab"}
        there = torch.ones(rows, dtype=torch.bool)
        found.append(Batch({m: Signal.vector(x, there) for m, x in data.items()}, {"t": target}, torch.arange(rows)))
    return found


def loader():
    return DataLoader(batches(), batch_size=None)


def trainer(**settings):
    return lambda **parts: L.Trainer(accelerator="cpu", **settings, **parts)


def quiet(**settings):
    off = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    return L.Trainer(accelerator="cpu", num_sanity_val_steps=0, **dict.fromkeys(off, False), **settings)


def stepped(one):
    """One step of SGD on the first batch."""
    quiet(max_epochs=1, limit_train_batches=1).fit(one, loader(), loader())


PATIENCE = Patience("val/loss", "min", 50, 0.0)


class Weights(L.Callback):
    """What the weights are after each step, and while they are validated."""

    def __init__(self):
        self.trained, self.validated = [], []

    def on_train_batch_end(self, trainer, learner, *_):
        self.trained.append(copies(learner))

    def on_validation_batch_start(self, trainer, learner, *_):
        self.now = copies(learner)

    def on_validation_end(self, trainer, learner):
        self.validated.append(self.now)


def copies(learner):
    return {name: p.detach().clone() for name, p in learner.named_parameters()}


class TestPenalty:
    def test_only_weights_have_it(self):
        module = nn.Sequential(
            nn.Linear(2, 3), nn.LayerNorm((4, 3)), nn.BatchNorm1d(3), nn.GRU(3, 2), nn.Conv2d(1, 1, 2)
        )
        named = {name for name, p in module.named_parameters() if any(p is w for w in weights(module))}
        assert named == {"0.weight", "3.weight_ih_l0", "3.weight_hh_l0", "4.weight"}

    def test_its_slope_is_added_once_by_hand(self):
        """Of l1 |w| + l2 / 2 w^2 it is l1 sign(w) + l2 w, in a step of SGD times the rate."""
        plain, held = learner(), learner(penalty=Penalty(l1=0.01, l2=0.5))
        before = copies(plain)
        for one in (plain, held):
            stepped(one)
        for (name, w), other in zip(copies(plain).items(), copies(held).values(), strict=True):
            pull = 0.01 * before[name].sign() + 0.5 * before[name] if w.ndim > 1 else torch.zeros(())
            torch.testing.assert_close(other, w - 0.1 * pull, atol=1e-6, rtol=1e-5)

    def test_it_is_told_beside_the_losses(self):
        held = learner(penalty=Penalty(l1=0.25))
        expected = 0.25 * sum(p.abs().sum().item() for p in held.model.parameters() if p.ndim > 1)
        stepped(held)
        losses = held.mean_losses()
        assert losses["penalty/l1"] == pytest.approx(expected, rel=1e-5)
        assert set(losses) == {"task/t", "penalty/l1"}

    def test_frozen_weights_have_none(self):
        w = nn.Parameter(torch.ones(2, 2), requires_grad=False)
        assert Penalty(1.0, 1.0).of([w]) == {}

    def test_below_0_is_refused(self):
        with pytest.raises(ValueError, match=r"penalty.l2=-1"):
            learner(penalty=Penalty(l2=-1.0))


class TestSmoothing:
    PREDICTION = torch.tensor([[2.0, 0.5, -1.0], [0.1, 0.2, 0.3], [-1.0, 3.0, 0.0], [1.0, 1.0, 1.0]])
    TARGET = torch.tensor([0, 2, -1, 1])

    @pytest.mark.parametrize("given", [None, [1.0, 3.0, 0.5]])
    def test_is_torchs(self, given):
        task = Multiclass("xyz", weights=given, smoothing=0.2)
        wanted = F.cross_entropy(
            self.PREDICTION,
            self.TARGET,
            weight=None if given is None else torch.tensor(given),
            ignore_index=-1,
            label_smoothing=0.2,
        )
        torch.testing.assert_close(task.loss(self.PREDICTION, self.TARGET), wanted)

    def test_by_hand(self):
        """One row of logits (log 2, 0): .9 of the true class's -log p and .05 of each."""
        said = Multiclass("xy", smoothing=0.1).loss(torch.tensor([[np.log(2), 0.0]]), torch.tensor([0]))
        assert said.item() == pytest.approx(0.95 * np.log(3 / 2) + 0.05 * np.log(3), rel=1e-6)

    def test_without_a_label_it_is_0(self):
        prediction = self.PREDICTION.clone().requires_grad_()
        loss = Multiclass("xyz", smoothing=0.2).loss(prediction, torch.full((4,), -1))
        loss.backward()
        assert loss.item() == 0
        assert not prediction.grad.any()

    @pytest.mark.parametrize("more", [{"gamma": 2.0}, {"smoothing": 1.0}, {"smoothing": -0.1}])
    def test_what_cannot_be(self, more):
        with pytest.raises(ValueError, match="smoothing="):
            Multiclass("xyz", **{"smoothing": 0.1} | more)

    def test_losses_of_a_fusions_own_are_not_smoothed(self):
        with pytest.raises(ValueError, match="label_smoothing=0"):
            LateFusion({m: Identity(3) for m in "ab"}, {"t": Multiclass("xyz", smoothing=0.1)}, TmcFusion)

    def test_by_its_key(self):
        assert smoothed("tasks=[digit]")["digit"].smoothing == 0.1
        weighed = smoothed("tasks=[digit]", "imbalance=weights")["digit"]
        assert (weighed.smoothing, len(weighed.weights)) == (0.1, 10)
        with pytest.raises(ConfigError, match="focal loss"):
            smoothed("tasks=[digit]", "imbalance=focal")
        with pytest.raises(ConfigError, match="no task is of one class"):
            smoothed("tasks=[magnitude]")


def smoothed(*typed):
    cfg = compose(["modalities=[text]", "label_smoothing=0.1", *typed], Catalog())
    examples = load(cfg)
    return prepare(cfg, examples, divide(cfg, examples)[0][1]).tasks


class TestMixup:
    SIGNALS = {
        "a": Signal(
            torch.tensor([[[1.0], [3.0]], [[5.0], [torch.nan]], [[torch.nan], [torch.nan]]]),
            torch.tensor([[True, True], [True, False], [False, False]]),
        ),
        "b": Signal.vector(torch.tensor([[0.0], [8.0], [2.0]]), torch.tensor([True, True, True])),
    }

    def test_of_itself_alone_a_row_is_what_it_was(self):
        mixed = Mix(torch.tensor([1, 0, 2]), 1.0).signals(self.SIGNALS)
        for m, (data, mask) in mixed.items():
            assert torch.equal(mask, self.SIGNALS[m].mask)
            assert torch.equal(data[mask], self.SIGNALS[m].data[mask])

    def test_halves_by_hand(self):
        """Row 1 has no second step: row 0 keeps its own there, and row 1 gets none."""
        mixed = Mix(torch.tensor([1, 0, 2]), 0.5).signals(self.SIGNALS)
        assert mixed["a"].data[mixed["a"].mask].flatten().tolist() == [3.0, 3.0, 3.0]
        assert mixed["a"].mask.tolist() == self.SIGNALS["a"].mask.tolist()
        assert mixed["b"].data.flatten().tolist() == [4.0, 4.0, 2.0]

    def test_both_targets_losses(self):
        mix = Mix(torch.tensor([1, 0]), 0.75)
        losses = mix.losses({"task/t": torch.tensor(2.0)}, {"task/t": torch.tensor(6.0)})
        assert {name: loss.item() for name, loss in losses.items()} == {"task/t": 3.0}
        batch = Batch({}, {"t": torch.tensor([4, 7])}, torch.tensor([10, 20]))
        other = mix.batch(batch)
        assert (other.targets["t"].tolist(), other.rows.tolist()) == ([7, 4], [20, 10])

    def test_only_rows_with_the_same_modalities_are_mixed_and_none_with_itself(self):
        present = torch.rand(200, 3) < 0.6
        present[0] = torch.tensor([False, False, False])
        partners = paired(present)
        assert sorted(partners.tolist()) == list(range(200))
        assert torch.equal(present[partners], present)
        sizes = {tuple(row.tolist()): int((present == row).all(dim=1).sum()) for row in present}
        alone = [sizes[tuple(row.tolist())] == 1 for row in present]
        assert (partners == torch.arange(200)).tolist() == alone
        assert not torch.equal(partners, paired(present))

    def test_the_row_itself_is_at_least_half_and_spread_as_beta(self):
        """Beta(1, 1) is uniform: its larger share has a mean of 3/4 and a variance of 1/48."""
        shares = np.array([drawn(self.SIGNALS, 1.0).share for _ in range(2000)])
        assert shares.min() >= 0.5
        assert abs(shares.mean() - 0.75) < 5 / np.sqrt(48 * 2000)

    def test_a_step_learns_from_mixed_rows(self, monkeypatch):
        """As a step on rows mixed by hand, with the same dice."""
        share, partners = 0.625, torch.tensor([1, 0, 3, 2, 5, 4, 7, 6])
        monkeypatch.setattr("mmfuse.learner.learner.drawn", lambda encoded, alpha: Mix(partners, share))
        mixed, plain, batch = learner(mixup=0.3), learner(), batches(1)[0]
        stepped(mixed)
        both = {m: share * s.data + (1 - share) * s.data[partners] for m, s in batch.signals.items()}
        said = plain.model({m: Signal(x, batch.signals[m].mask) for m, x in both.items()}).predictions["t"]
        target = F.one_hot(batch.targets["t"], 3).float()
        loss = F.cross_entropy(said, share * target + (1 - share) * target[partners])
        loss.backward()
        assert mixed.mean_losses()["task/t"] == pytest.approx(loss.item(), rel=1e-5)
        for one, other in zip(mixed.model.parameters(), plain.model.parameters(), strict=True):
            torch.testing.assert_close(one.detach(), (other - 0.1 * other.grad).detach(), atol=1e-6, rtol=1e-5)

    def test_what_cannot_be_mixed_is_refused(self):
        with pytest.raises(ValueError, match="mixup=-1"):
            learner(mixup=-1.0)
        tasks = {"t": Multiclass("xyz")}
        model = LateFusion({m: Identity(3) for m in "ab"}, tasks, QmfFusion)
        with pytest.raises(ValueError, match="remembers what each row cost"):
            Learner(model, tasks, {}, Plain(["task/t"]), Synchronous(), torch.optim.SGD, mixup=0.2)


class TestAveraging:
    def trained(self, folder, averaging, ckpt=None, **settings):
        seen, one = Weights(), learner()
        driven = build(trainer(**settings), folder, PATIENCE, Listener(), averaging)
        driven.callbacks.insert(0, seen)
        driven.fit(one, loader(), loader(), ckpt_path=ckpt)
        return one, seen

    def same(self, found, expected):
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, atol=1e-6, rtol=1e-5)

    def ema(self, steps, decay):
        """By name: the average after each step."""
        found = [steps[0]]
        for now in steps[1:]:
            found.append({name: decay * found[-1][name] + (1 - decay) * value for name, value in now.items()})
        return found

    def test_ema_is_the_average_by_hand_and_does_not_change_what_is_trained(self, tmp_path):
        one, seen = self.trained(tmp_path, Averaging("ema", 0.8), max_epochs=2)
        _, alone = self.trained(tmp_path / "plain", NO_AVERAGE, max_epochs=2)
        for with_it, without in zip(seen.trained, alone.trained, strict=True):
            self.same(with_it, without)
        averages = self.ema(seen.trained, 0.8)
        self.same(seen.validated[0], averages[3])
        self.same(seen.validated[1], averages[7])
        self.same(copies(one), averages[7])

    def test_swa_is_the_mean_of_epochs_from_its_start(self, tmp_path):
        one, seen = self.trained(tmp_path, Averaging("swa", start=1), max_epochs=3)
        ends = seen.trained[3::4]
        self.same(seen.validated[0], ends[0])  # nothing is averaged yet
        self.same(seen.validated[1], ends[1])
        mean = {name: (value + ends[2][name]) / 2 for name, value in ends[1].items()}
        self.same(seen.validated[2], mean)
        self.same(copies(one), mean)

    @pytest.mark.parametrize("averaging", [Averaging("ema", 0.7), Averaging("swa"), Averaging("ema", 0.7, start=2)])
    def test_the_best_checkpoint_is_what_was_validated(self, tmp_path, averaging):
        one, listener = learner(), Listener()
        driven = fit(one, trainer(max_epochs=2), loader(), loader(), tmp_path, PATIENCE, listener, averaging)
        driven.validate(one, loader(), verbose=False)
        best = torch.load(tmp_path / "best.ckpt", weights_only=True)
        told = next(state for name, state in best["callbacks"].items() if name.startswith("Best"))
        assert one.figures["val/loss"] == pytest.approx(float(told["best_model_score"]), rel=1e-5)
        self.same(copies(one), {name: best["state_dict"][name] for name in copies(one)})

    @pytest.mark.filterwarnings("ignore:Checkpoint directory")
    @pytest.mark.parametrize("averaging", [Averaging("ema", 0.7), Averaging("swa"), Averaging("swa", start=1)])
    def test_a_resumed_run_is_the_same_run(self, tmp_path, averaging):
        whole, seen = self.trained(tmp_path / "whole", averaging, max_epochs=3)
        self.trained(tmp_path / "half", averaging, max_epochs=1)
        rest, after = self.trained(tmp_path / "half", averaging, ckpt=tmp_path / "half" / "last.ckpt", max_epochs=3)
        for with_stop, without in zip(after.trained, seen.trained[4:], strict=True):
            assert all(torch.equal(with_stop[name], value) for name, value in without.items())
        assert all(torch.equal(copies(rest)[name], value) for name, value in copies(whole).items())

    def test_a_run_that_is_stopped_saves_the_average_of_its_last_step(self, tmp_path):
        seen, one = Weights(), learner()
        driven = build(trainer(max_epochs=2), tmp_path, PATIENCE, Listener(), Averaging("ema", 0.8))
        (stop,) = [callback for callback in driven.callbacks if isinstance(callback, Stop)]
        driven.callbacks.insert(0, seen)

        class Signalled(L.Callback):
            def on_train_batch_start(self, trainer, learner, batch, batch_idx):
                if trainer.global_step == 2:
                    stop.receive(15, None)

        driven.callbacks.insert(0, Signalled())
        with pytest.raises(Interrupted):
            driven.fit(one, loader(), loader())
        saved = torch.load(tmp_path / "last.ckpt", weights_only=True)
        assert saved["averaging_state"]["n_averaged"] == len(seen.trained) == 3
        self.same(saved["state_dict"], self.ema(seen.trained, 0.8)[-1])
        self.same(saved["current_model_state"], seen.trained[-1])

    @pytest.mark.parametrize("more", [{"decay": 1.0}, {"start": -1}])
    def test_what_cannot_be(self, tmp_path, more):
        with pytest.raises(ValueError, match=r"averaging\.decay"):
            build(trainer(max_epochs=1), tmp_path, PATIENCE, Listener(), Averaging("ema")._replace(**more))


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["averaging.kind=ema", "+trainer.strategy=fsdp"], "averaging needs whole weights"),
        (["penalty.l1=0.1", "+trainer.strategy=deepspeed_stage_2"], "penalty needs whole weights"),
        (["averaging.kind=swa", "averaging.start=3", "trainer.max_epochs=3"], "epochs count from 0"),
    ],
)
def test_what_weights_cannot_have_is_refused(typed, says):
    with pytest.raises(ConfigError, match=rf"{says}(.|\n)*to go on"):
        check_weights(compose(typed, Catalog()))


class TestRates:
    def test_of_a_training_by_hand(self):
        """8 steps, half of them a rise, then a line to 0: the shares of 0.1 by which each step is taken."""

        class Told(L.Callback):
            def __init__(self):
                self.rates = []

            def on_before_optimizer_step(self, trainer, learner, optimizer):
                self.rates.append({group["name"]: group["lr"] for group in optimizer.param_groups})

        told = Told()
        quiet(max_epochs=2, callbacks=[told]).fit(learner(rates=Rates(warmup=0.5, decay="linear")), loader(), loader())
        expected = [0.25, 0.5, 0.75, 1.0, 1.0, 0.75, 0.5, 0.25]
        assert all({"fusion", "heads"} <= set(name.split("+")) for each in told.rates for name in each)
        np.testing.assert_allclose([rate for each in told.rates for rate in each.values()], 0.1 * np.array(expected))

    def test_exponential_is_a_constant_factor_a_step(self):
        shares = [Rates(decay="exponential", end=0.01).at(step, 5.0) for step in range(6)]
        np.testing.assert_allclose(np.array(shares[1:]) / shares[:-1], 0.01**0.2)

    def test_of_endless_training_they_stay(self):
        assert Rates(warmup=0.5, decay="cosine").at(100, float("inf")) == 1.0

    @pytest.mark.parametrize("rates", [Rates(warmup=1.0), Rates(end=1.5), Rates(decay="exponential")])
    def test_what_cannot_be(self, rates):
        with pytest.raises(ValueError, match=r"rates\."):
            learner(rates=rates)


def test_mixed_numbers_are_between_the_two(random):
    """A regression's mixed loss is the two rows' losses, not that of the mixed number."""
    task, said = Regression(), torch.tensor([[1.0], [4.0]])
    target = torch.tensor([0.0, 2.0])
    mix = Mix(torch.tensor([1, 0]), 0.75)
    found = mix.losses({"t": task.loss(said, target)}, {"t": task.loss(said, target[mix.partners])})["t"]
    torch.testing.assert_close(found, 0.75 * task.loss(said, target) + 0.25 * task.loss(said, target.flip(0)))
