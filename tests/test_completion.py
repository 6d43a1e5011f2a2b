"""Codes in the place of absent modalities: what they are, what they learn from, and that every prediction has them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F

from mmfuse import masks
from mmfuse.cli import main
from mmfuse.completion.regressor import Regressor
from mmfuse.completion.shaspec import ShaSpec
from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.encoders.identity import Identity
from mmfuse.errors import ConfigError
from mmfuse.fusion.concat import ConcatFusion
from mmfuse.fusion.weighted import WeightedFusion
from mmfuse.listener import Listener
from mmfuse.models.feature import FeatureFusion
from mmfuse.models.late import LateFusion
from mmfuse.models.task import TaskFusion
from mmfuse.run.check import check
from mmfuse.tasks.losses import losses as losses_of
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.types import Batch, Signal

DIMS = {"a": 2, "b": 3, "c": 2}
LACKING = {"a": [0, 3, 9], "b": [1, 3], "c": [2, 3, 9]}  # row 3 has nothing, row 9 only b
MODELS = [(FeatureFusion, ConcatFusion), (LateFusion, WeightedFusion), (TaskFusion, ConcatFusion)]


def batch(rows=40, seed=0):
    """Sequences of one or two steps, NaN wherever nothing is measured."""
    random, found = np.random.default_rng(seed), {}
    for m, width in DIMS.items():
        lengths = random.integers(1, 3, rows)
        lengths[LACKING[m]] = 0
        mask = torch.from_numpy(np.arange(2) < lengths[:, None])
        data = torch.from_numpy(random.standard_normal((rows, 2, width)).astype(np.float32))
        found[m] = Signal(data.masked_fill(~mask.unsqueeze(-1), torch.nan), mask)
    return found


def codes(signals):
    """(B, D) each in numpy, NaN where absent."""
    found = {}
    for m, (data, mask) in signals.items():
        total = np.where(mask[..., None], data, 0).sum(axis=1)
        with np.errstate(invalid="ignore"):
            found[m] = total / mask.sum(dim=1, keepdim=True).numpy()
    return found


class TestRegressor:
    def test_an_imputed_code_is_the_mean_of_least_squares_predictions(self):
        """Each pair's map by numpy's lstsq over the rows that have both."""
        signals, regressor = batch(), Regressor(DIMS)
        optimizer = torch.optim.LBFGS(regressor.parameters(), max_iter=500, line_search_fn="strong_wolfe")

        def loss():
            optimizer.zero_grad()
            total = regressor.losses(signals)["regression"]
            total.backward()
            return total

        for _ in range(3):
            optimizer.step(loss)
        said, known = regressor(signals), codes(signals)
        told = {m: [] for m in DIMS}
        for m in DIMS:
            for k in set(DIMS) - {m}:
                x = np.column_stack([known[k], np.ones(len(known[k]))])
                both = np.isfinite(known[k][:, 0]) & np.isfinite(known[m][:, 0])
                told[m].append(x @ np.linalg.lstsq(x[both], known[m][both], rcond=None)[0])
            for row in set(LACKING[m]) - {3}:
                expected = np.nanmean([each[row] for each in told[m]], axis=0)
                np.testing.assert_allclose(said[m].data[row, 0].numpy(), expected, atol=2e-3)
                assert said[m].mask[row].tolist() == [True, False]

    def test_what_is_there_stays_and_nothing_comes_from_nothing(self):
        signals = batch()
        said = Regressor(DIMS)(signals)
        for m in DIMS:
            there = signals[m].present
            assert torch.equal(said[m].data[there].nan_to_num(), signals[m].data[there].nan_to_num())
            assert torch.equal(said[m].mask[there], signals[m].mask[there])
            assert not said[m].present[3]
            assert said[m].present[[0, 1, 2, 9]].all()
            assert said[m].data[said[m].mask].isfinite().all()

    def test_its_loss_by_hand(self):
        """One feature each, f_ba(x) = 2 x + 1, f_ab(x) = -x: errors 0 and 4, of the row that has both."""
        regressor = Regressor({"a": 1, "b": 1}, weight=3.0)
        for linear, weight, bias in ((regressor.maps["b"]["a"], 2.0, 1.0), (regressor.maps["a"]["b"], -1.0, 0.0)):
            linear.load_state_dict({"weight": torch.tensor([[weight]]), "bias": torch.tensor([bias])})
        a = Signal.vector(torch.tensor([[1.0], [torch.nan]]), torch.tensor([True, False]))
        b = Signal.vector(torch.tensor([[1.0], [5.0]]), torch.tensor([True, True]))
        errors = (2 * 1 + 1 - 1) ** 2, (-1 - 1) ** 2
        assert regressor.losses({"a": a, "b": b})["regression"].item() == pytest.approx(3 * sum(errors) / 2)

    def test_no_encoder_learns_from_it_and_no_other_loss_changes_a_map(self):
        signals, regressor = batch(), Regressor(DIMS, hidden=4)
        signals = {m: Signal(s.data.nan_to_num().requires_grad_(), s.mask) for m, s in signals.items()}
        regressor.losses(signals)["regression"].backward()
        assert all(s.data.grad is None for s in signals.values())
        assert all(p.grad is not None for p in regressor.parameters())
        regressor.zero_grad()
        sum(s.pooled().sum() for s in regressor(signals).values()).backward()
        assert all(p.grad is None for p in regressor.parameters())
        assert all(s.data.grad.isfinite().all() for s in signals.values())

    def test_one_modality_has_nothing_to_be_told_from(self):
        regressor, signals = Regressor({"a": 2}), {"a": batch()["a"]}
        assert regressor.losses(signals) == {}
        assert regressor(signals) is signals


class TestShaSpec:
    @pytest.fixture
    def made(self):
        """The part, and its layers in numpy: x -> x W' + b, and relu."""
        part = ShaSpec(DIMS, dim=4, alignment=0.5, classification=2.0)
        values = {name: p.detach().numpy() for name, p in part.named_parameters()}

        def layer(name, x):
            return x @ values[f"{name}.weight"].T + values[f"{name}.bias"]

        return part, layer

    def coded(self, layer, m, x):
        u = layer(f"project.{m}", x)
        return np.maximum(layer("shared.0", u), 0), np.maximum(layer(f"specific.{m}.0", u), 0)

    def test_present_and_absent_by_hand(self, made):
        part, layer = made
        signals = batch()
        said = part(signals)
        shared = {}
        for m, (data, mask) in signals.items():
            r, s = self.coded(layer, m, data.nan_to_num().numpy())
            own = r + layer("join", np.concatenate([r, s], axis=-1))
            real = mask.numpy()
            np.testing.assert_allclose(said[m].data.detach().numpy()[real], own[real], atol=1e-5)
            shared[m] = np.stack(
                [row[there].mean(axis=0) if there.any() else 0 * row[0] for row, there in zip(r, real, strict=True)]
            )
        np.testing.assert_allclose(said["a"].data[0, 0].tolist(), (shared["b"] + shared["c"])[0] / 2, atol=1e-5)
        np.testing.assert_allclose(said["c"].data[9, 0].tolist(), shared["b"][9], atol=1e-5)
        assert said["a"].mask[[0, 9, 3]].tolist() == [[True, False], [True, False], [False, False]]

    def test_losses_by_hand(self, made):
        """Two rows: the second lacks b."""
        part, layer = made
        x = {m: np.arange(2 * d, dtype=np.float32).reshape(2, d) / 5 for m, d in DIMS.items()}
        there = {"a": [True, True], "b": [True, False], "c": [True, True]}
        losses = part.losses({m: Signal.vector(torch.tensor(x[m]), torch.tensor(there[m])) for m in DIMS})
        shared, specific = ({m: self.coded(layer, m, x[m])[k] for m in DIMS} for k in (0, 1))
        apart = [np.abs(shared[m][0] - shared[k][0]).mean() for m, k in ("ab", "ac", "bc")]
        apart.append(np.abs(shared["a"][1] - shared["c"][1]).mean())
        assert losses["alignment"].item() == pytest.approx(0.5 * np.mean(apart), rel=1e-5)
        wrong = []
        for k, m in enumerate(DIMS):
            for row in np.flatnonzero(there[m]):
                scores = layer("tell", specific[m][row])
                wrong.append(np.log(np.exp(scores).sum()) - scores[k])
        assert losses["modality"].item() == pytest.approx(2 * np.mean(wrong), rel=1e-5)

    def test_nan_behind_masks_reaches_no_gradient(self):
        part, signals = ShaSpec(DIMS), batch()
        (sum(part.losses(signals).values()) + sum(s.pooled().sum() for s in part(signals).values())).backward()
        assert all(p.grad.isfinite().all() for p in part.parameters())

    def test_nothing_to_compare_costs_nothing(self):
        signals = {m: Signal(s.data, torch.zeros_like(s.mask)) for m, s in batch().items()}
        assert [loss.item() for loss in ShaSpec(DIMS).losses(signals).values()] == [0.0, 0.0]


@pytest.mark.parametrize(("kind", "fusion"), MODELS)
@pytest.mark.parametrize("completion", [Regressor, ShaSpec])
class TestInModels:
    def made(self, kind, fusion, completion):
        return kind({m: Identity(d) for m, d in DIMS.items()}, {"t": Multiclass("xyz")}, fusion, completion).eval()

    def test_whatever_is_predicted_is_predicted_from_completed_signals(self, kind, fusion, completion):
        model, signals = self.made(kind, fusion, completion), batch()
        only = masks.keep(signals, {"b"})
        said = model(signals).predict(only)["t"]
        completed = model.completion(only)
        assert all(s.present[[0, 2, 9]].all() for s in completed.values())
        model.completion = type(model.completion).__base__(model.completion.dims)  # which changes nothing
        torch.testing.assert_close(said, model.predict(completed)["t"])
        assert said.isfinite().all()

    def test_its_losses_are_of_all_that_was_encoded(self, kind, fusion, completion):
        model, signals = self.made(kind, fusion, completion), batch()
        target = torch.zeros(40, dtype=torch.long)
        outputs = model.outputs(masks.keep(signals, {"a"}), signals)
        found = losses_of({"t": Multiclass("xyz")}, outputs, Batch(signals, {"t": target}, torch.arange(40)))
        named = {name: loss for name, loss in found.items() if name.startswith("completion/")}
        assert set(named) == {f"completion/{name}" for name in completion.names}
        for name, loss in model.completion.losses(signals).items():
            torch.testing.assert_close(named[f"completion/{name}"], loss)

    def test_it_is_a_part_that_schedules_can_freeze(self, kind, fusion, completion):
        model = self.made(kind, fusion, completion)
        assert model.parts()["completion"] == [model.completion]
        own = {id(p) for part in model.parts().values() for module in part for p in module.parameters()}
        assert {id(p) for p in model.parameters()} == own


def test_parameters_are_as_many_as_their_pages_say():
    def number(part):
        return sum(p.numel() for p in part.parameters())

    pairs = [(DIMS[k], DIMS[m]) for m in DIMS for k in DIMS if k != m]
    assert number(Regressor(DIMS)) == sum((k + 1) * m for k, m in pairs)
    assert number(Regressor(DIMS, hidden=5)) == sum((k + 1) * 5 + 6 * m for k, m in pairs)
    assert number(ShaSpec(DIMS, dim=6)) == sum((d + 1) * 6 for d in DIMS.values()) + 4 * 7 * 6 + 13 * 6 + 7 * 3


def test_rows_that_lack_a_modality_are_told_as_well_as_the_others(random):
    """b = 2 a says the class, which only rows with b are trained on."""
    model = FeatureFusion(
        {"a": Identity(1), "b": Identity(1)}, {"t": Multiclass("xy")}, lambda dims: ConcatFusion(dims, dim=8), Regressor
    )
    a = torch.from_numpy(random.standard_normal((256, 1)).astype(np.float32))
    target = (a[:, 0] > 0).long()
    whole = torch.ones(256, dtype=torch.bool)
    signals = {"a": Signal.vector(a, whole), "b": Signal.vector(2 * a, whole)}
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        heard = masks.keep(signals, {"b"})
        loss = F.cross_entropy(model.predict(heard)["t"], target) + model.completion.losses(signals)["regression"]
        loss.backward()
        optimizer.step()
    said = model.predict(masks.keep(signals, {"a"}))["t"].argmax(dim=1)
    assert (said == target).float().mean() > 0.95


@pytest.fixture
def table(tmp_path, monkeypatch, random):
    monkeypatch.chdir(tmp_path)
    label = np.arange(60) % 2
    columns = {m: [json.dumps(list(random.standard_normal(2) + k)) for k in label] for m in ("pose", "gaze")}
    pd.DataFrame(columns | {"label": label}).to_csv("rows.csv", index=False)
    modalities = "dataset.modalities={pose: {kind: vector}, gaze: {kind: vector}}"
    data = ["dataset=table", "dataset.file=rows.csv", modalities, "dataset.tasks={label: {kind: multiclass}}"]
    return [*data, "dataset.missing.rate=0.25", "trainer.max_epochs=2", "bootstrap=10", "threads=1"]


@pytest.mark.parametrize(("name", "losses"), [("regressor", ["regression"]), ("shaspec", ["alignment", "modality"])])
def test_trains_by_name_and_its_losses_fall_into_the_record(table, capsys, name, losses):
    weights = "balance.weights={" + f"completion/{losses[0]}: 0.5" + "}"
    assert main(["train", *table, f"completion={name}", "name=run", weights]) == 0
    assert f"-> {name} -> gated" in capsys.readouterr().out
    (folder,) = Path("outputs").glob("run*")
    history = pd.read_csv(folder / "seed-0" / "history.csv")
    first, second = history[f"train/loss/completion/{losses[-1]}"]
    assert second < first
    for loss in losses:
        assert history[f"val/loss/completion/{loss}"].notna().all()


def test_stacking_is_refused(table):
    typed = [*table, "model=late", "fusion=stacking", "completion=regressor"]
    with pytest.raises(ConfigError, match="completion=none"):
        check(compose(typed, Catalog()), Listener())
