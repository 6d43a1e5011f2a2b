"""What every fusion owes the rest of the code, and what each method's equations say.

A fusion is under test as soon as it has a config; its number of parameters has to be stated in fusion_facts.py.
"""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from fusion_facts import COUNTS, DECIDES, TAKES

from mmfuse import masks
from mmfuse.fusion.concat import ConcatFusion
from mmfuse.fusion.gated import GatedFusion
from mmfuse.fusion.mean import MeanFusion
from mmfuse.fusion.weighted import WeightedFusion
from mmfuse.types import Signal

CONFIGS = sorted((Path(__file__).parents[1] / "configs/fusion").glob("*.yaml"))
SIZES = {"text": 6, "image": 5, "audio": 4, "depth": 3}  # not in the alphabet's order
GARBAGE = {"noise": 7.0, "huge": 1e30, "nan": float("nan"), "inf": float("inf")}


def first(number):
    return dict(list(SIZES.items())[:number])


def dims_of(config, number):
    dims = first(number)
    return dict.fromkeys(dims, 4) if config.stem in DECIDES else dims


def all_of(fusion, signals):
    """One number that whatever a fusion learns from goes into: its signal and losses of its own."""
    fused = fusion.fuse(signals)
    return fused.signal.pooled().square().sum() + sum(fused.losses.values())


def number_of(config):
    return 3 if 3 in TAKES.get(config.stem, (3,)) else max(TAKES[config.stem])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def config(request):
    return request.param


@pytest.fixture
def fusion(config, build):
    """Of three modalities, or as many as it takes."""
    return build(config, dims=dims_of(config, number_of(config))).eval()


@pytest.fixture
def signals(config, sequences):
    """Full, padded and one-step rows; one without image, one without anything."""
    lengths = {"text": [5, 2, 1, 3, 0], "image": [4, 4, 1, 0, 0], "audio": [1, 3, 1, 2, 0]}
    dims = dims_of(config, number_of(config))
    return sequences(dims, {m: lengths[m] for m in dims})


@pytest.fixture
def vectors():
    """What is in (B, D) arrays as signals, each row present where `present` (B, M) says so."""

    def signals(arrays, present=None):
        found = {}
        for column, (modality, array) in enumerate(arrays.items()):
            there = np.ones(len(array), bool) if present is None else np.asarray(present)[:, column]
            found[modality] = Signal.vector(torch.tensor(array, dtype=torch.float32), torch.tensor(there))
        return found

    return signals


def outcome(fusion, signals):
    """(B, dim) as numpy."""
    return fusion(signals).pooled().detach().numpy()


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_returns_one_signal_of_its_own_width(config, build, sequences, rows, number):
    dims = dims_of(config, number)
    if number not in TAKES.get(config.stem, (number,)):
        with pytest.raises(ValueError, match="modalit"):
            build(config, dims=dims)
        return
    fusion = build(config, dims=dims).eval()
    fused = fusion(sequences(dims, {m: [3, 1, 2, 1, 3][:rows] for m in dims}))
    assert fused.data.shape[::2] == (rows, fusion.dim)
    assert fused.mask.shape == fused.data.shape[:2]
    assert fused.present.all()
    assert fused.data.isfinite().all()


@pytest.mark.parametrize("widths", [(6,), (6, 5), (4, 4), (6, 5, 4), (4, 4, 4), (6, 5, 4, 3)], ids=str)
def test_has_as_many_parameters_as_it_says(config, build, widths):
    if len(widths) not in TAKES.get(config.stem, (len(widths),)):
        return  # refused: the test above
    if config.stem in DECIDES and len(set(widths)) > 1:
        with pytest.raises(ValueError, match="wide"):
            build(config, dims=dict(zip(SIZES, widths, strict=False)))
        return
    fusion = build(config, dims=dict(zip(SIZES, widths, strict=False)))
    assert sum(p.numel() for p in fusion.parameters()) == COUNTS[config.stem](widths, fusion.dim)


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_does_not_look_at_what_is_masked(fusion, signals, garbage):
    filled = {m: Signal(s.data.masked_fill(~s.mask[..., None], garbage), s.mask) for m, s in signals.items()}
    assert torch.equal(fusion(filled).data, fusion(signals).data)
    assert torch.equal(fusion(filled).mask, fusion(signals).mask)


@pytest.mark.parametrize("modality", first(3))
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_does_not_hear_an_absent_modality(fusion, signals, modality, garbage):
    modality = modality if modality in signals else next(iter(signals))
    absent = masks.keep(signals, set(signals) - {modality})
    data, mask = absent[modality]
    filled = {**absent, modality: Signal(torch.full_like(data, garbage), mask)}
    assert torch.equal(fusion(filled).data, fusion(absent).data)


@pytest.mark.parametrize("modality", first(3))
def test_hears_a_present_modality(fusion, signals, modality):
    modality = modality if modality in signals else next(iter(signals))
    without = masks.keep(signals, set(signals) - {modality})
    assert not torch.allclose(fusion(without).pooled()[0], fusion(signals).pooled()[0], atol=1e-4)


def test_rows_do_not_leak_into_each_other(fusion, signals):
    whole = fusion(signals).pooled()
    alone = [fusion({m: Signal(s.data[[i]], s.mask[[i]]) for m, s in signals.items()}).pooled() for i in range(5)]
    torch.testing.assert_close(torch.cat(alone), whole, atol=1e-6, rtol=1e-6)
    order = torch.tensor([3, 0, 4, 2, 1])
    shuffled = fusion({m: Signal(s.data[order], s.mask[order]) for m, s in signals.items()}).pooled()
    torch.testing.assert_close(shuffled, whole[order], atol=1e-6, rtol=1e-6)


def test_padding_changes_nothing(fusion, signals):
    padded = {
        m: Signal(
            torch.cat([s.data, torch.full_like(s.data[:, :1], 1e30).expand(-1, 3, -1)], dim=1),
            torch.cat([s.mask, torch.zeros_like(s.mask[:, :1]).expand(-1, 3)], dim=1),
        )
        for m, s in signals.items()
    }
    torch.testing.assert_close(fusion(padded).pooled(), fusion(signals).pooled(), atol=1e-5, rtol=1e-5)


def test_takes_modalities_in_the_order_it_was_made_with(fusion, signals):
    backwards = dict(reversed(signals.items()))
    assert torch.equal(fusion(backwards).data, fusion(signals).data)


def test_every_parameter_learns(fusion, signals):
    all_of(fusion, {m: Signal(s.data.requires_grad_(), s.mask) for m, s in signals.items()}).backward()
    for name, parameter in fusion.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_gradient_reaches_the_present_and_only_them(fusion, signals):
    signals = {m: Signal(s.data.requires_grad_(), s.mask) for m, s in signals.items()}
    fusion(signals).pooled().square().sum().backward()
    for modality, (data, mask) in signals.items():
        assert not data.grad[~mask].any(), modality
        for row in mask.any(dim=1).nonzero().flatten():
            assert data.grad[row].any(), (modality, row)


@pytest.mark.parametrize("garbage", [float("nan"), float("inf")])
def test_what_is_masked_spoils_no_gradient(fusion, signals, garbage):
    data = {m: s.data.masked_fill(~s.mask[..., None], garbage).requires_grad_() for m, s in signals.items()}
    all_of(fusion, {m: Signal(data[m], s.mask) for m, s in signals.items()}).backward()
    assert all(p.grad.isfinite().all() for p in [*fusion.parameters(), *data.values()])


def test_derivatives_are_right(config, build, sequences):
    dims = dims_of(config, 2)
    fusion = build(config, dims=dims).double().eval()
    signals = sequences(dims, {"text": [2, 1], "image": [1, 0]})

    def fused(*data):
        return fusion({m: Signal(d, signals[m].mask) for m, d in zip(dims, data, strict=True)}).pooled()

    assert torch.autograd.gradcheck(fused, [s.data.double().requires_grad_() for s in signals.values()], fast_mode=True)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_row_without_anything_is_finite_and_absent(config, build, sequences, number):
    dims = dims_of(config, number)
    if number not in TAKES.get(config.stem, (number,)):
        return
    fused = build(config, dims=dims).eval()(sequences(dims, {m: [0, 2] for m in dims}))
    assert fused.data.isfinite().all()
    assert fused.present.tolist() == [False, True]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_constant_features_are_finite_forward_and_back(fusion, signals, value):
    data = {m: torch.full_like(s.data, value).requires_grad_() for m, s in signals.items()}
    constant = {m: Signal(data[m], s.mask) for m, s in signals.items()}
    all_of(fusion, constant).backward()
    assert fusion(constant).data.isfinite().all()
    assert all(p.grad.isfinite().all() for p in [*fusion.parameters(), *data.values()])


def test_is_the_same_once_saved_and_loaded(config, build, fusion, signals, tmp_path):
    torch.save(fusion.state_dict(), tmp_path / "fusion.pt")
    other = build(config, dims=dims_of(config, number_of(config))).eval()
    other.load_state_dict(torch.load(tmp_path / "fusion.pt", weights_only=True))
    assert torch.equal(other(signals).data, fusion(signals).data)


def test_weights_are_shares_of_those_present(fusion, signals):
    """Of methods that hand out any."""
    weights = fusion.fuse(signals).weights
    if weights is None:
        return
    present = torch.stack([s.present for s in signals.values()], dim=1)
    assert (weights >= 0).all()
    assert not weights[~present].any()
    torch.testing.assert_close(weights.sum(dim=1), present.any(dim=1).float())


def test_losses_of_its_own_are_finite(fusion, signals):
    for name, loss in fusion.train().fuse(signals).losses.items():
        assert loss.ndim == 0, name
        assert loss.isfinite(), name


class TestConcat:
    def test_is_a_layer_over_modalities_in_their_order(self, vectors, random):
        x = {"text": random.normal(size=(4, 3)), "audio": random.normal(size=(4, 2))}
        present = np.array([[1, 1], [0, 1], [1, 0], [1, 1]], bool)
        fusion = ConcatFusion({"text": 3, "audio": 2}, dim=5).eval()
        w, b = (p.detach().numpy() for p in fusion.parameters())  # (5, 3 + 2), (5,)
        joined = np.concatenate([x["text"] * present[:, [0]], x["audio"] * present[:, [1]]], axis=1)
        np.testing.assert_allclose(outcome(fusion, vectors(x, present)), np.maximum(joined @ w.T + b, 0), atol=1e-6)

    def test_drops_out_in_training_only(self, sequences):
        fusion, signals = (
            ConcatFusion(first(3), dim=64, dropout=0.5),
            sequences(first(3), dict.fromkeys(first(3), [2, 1])),
        )
        assert not torch.equal(fusion(signals).data, fusion(signals).data)
        fusion.eval()
        assert torch.equal(fusion(signals).data, fusion(signals).data)


class TestMean:
    def test_is_the_mean_of_the_modalities_present(self, vectors):
        x = {"a": [[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]], "b": [[3.0, 6.0]] * 3, "c": [[8.0, 1.0]] * 3}
        present = [[True, True, True], [True, False, True], [False, False, False]]
        found = outcome(MeanFusion({"a": 2, "b": 2, "c": 2}), vectors(x, present))
        np.testing.assert_allclose(found, [[4.0, 3.0], [4.5, 1.5], [0.0, 0.0]], atol=1e-6)

    def test_of_copies_is_one_copy(self, vectors):
        x = np.random.default_rng(0).normal(size=(3, 4))
        found = outcome(MeanFusion(dict.fromkeys("abc", 4)), vectors(dict.fromkeys("abc", x)))
        np.testing.assert_allclose(found, x, atol=1e-6)

    def test_maps_every_modality_into_one_space(self, vectors, random):
        x = {"text": random.normal(size=(3, 4)), "audio": random.normal(size=(3, 2))}
        present = np.array([[1, 1], [0, 1], [1, 0]], bool)
        fusion = MeanFusion({"text": 4, "audio": 2}, dim=3)
        mapped = [
            x[m] @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
            for m, layer in fusion.space.maps.items()
        ]
        weights = present / present.sum(axis=1, keepdims=True)
        expected = np.einsum("bm,mbd->bd", weights, np.stack(mapped))
        np.testing.assert_allclose(outcome(fusion, vectors(x, present)), expected, atol=1e-6)

    def test_does_not_mind_the_order_of_modalities(self, vectors):
        x = {m: np.random.default_rng(i).normal(size=(2, 4)) for i, m in enumerate("abc")}
        other = {"a": x["c"], "b": x["a"], "c": x["b"]}
        fusion = MeanFusion(dict.fromkeys("abc", 4))
        np.testing.assert_allclose(outcome(fusion, vectors(other)), outcome(fusion, vectors(x)), atol=1e-6)


class TestWeighted:
    X = {"text": [[1.0, 0.0]] * 3, "image": [[0.0, 1.0]] * 3, "audio": [[10.0, 20.0]] * 3}
    DIMS = {"text": 2, "image": 2, "audio": 2}

    @pytest.mark.parametrize("weights", [[0.3, 0.5, 0.2], {"audio": 0.2, "text": 0.3, "image": 0.5}, [3.0, 5.0, 2.0]])
    def test_by_hand(self, vectors, weights):
        """0.3 (1, 0) + 0.5 (0, 1) + 0.2 (10, 20); without audio 3/8 and 5/8; then text alone."""
        present = [[True, True, True], [True, True, False], [True, False, False]]
        found = outcome(WeightedFusion(self.DIMS, weights=weights), vectors(self.X, present))
        np.testing.assert_allclose(found, [[2.3, 4.5], [0.375, 0.625], [1.0, 0.0]], atol=1e-6)

    @pytest.mark.parametrize("modality", DIMS)
    def test_one_weight_alone_is_that_modality_alone(self, vectors, modality):
        weights = {m: float(m == modality) for m in self.DIMS}
        found = outcome(WeightedFusion(self.DIMS, weights=weights), vectors(self.X))
        np.testing.assert_allclose(found, self.X[modality], atol=1e-6)

    def test_learned_weights_start_as_the_mean(self, vectors):
        found = outcome(WeightedFusion(self.DIMS), vectors(self.X))
        np.testing.assert_allclose(found, [[11 / 3, 7.0]] * 3, rtol=1e-6)

    def test_learned_weights_are_a_softmax_over_those_present(self, vectors):
        fusion = WeightedFusion(self.DIMS)
        scores = np.array([0.5, -1.0, 2.0])
        fusion.load_state_dict({"learned": torch.tensor(scores)})
        present = np.array([[1, 1, 1], [0, 1, 1], [1, 1, 0]], bool)
        shares = np.exp(scores) * present
        shares /= shares.sum(axis=1, keepdims=True)
        expected = np.einsum("bm,mbd->bd", shares, np.array(list(self.X.values())))
        np.testing.assert_allclose(outcome(fusion, vectors(self.X, present)), expected, rtol=1e-5)

    @pytest.mark.parametrize(
        "weights", [[0.5, 0.5], [1.0, -0.1, 0.1], [0.0, 0.0, 0.0], {"text": 1.0, "image": 1.0, "sound": 1.0}]
    )
    def test_refuses_weights_that_cannot_be(self, weights):
        with pytest.raises(ValueError, match="one is needed for each of"):
            WeightedFusion(self.DIMS, weights=weights)


class TestGated:
    @pytest.fixture
    def x(self, random):
        return {m: random.normal(size=(4, d)) for m, d in first(3).items()}

    @staticmethod
    def spoken(fusion, x):
        """(M, B, D) tanh(W_m x_m)."""
        return np.stack([np.tanh(x[m] @ fusion.speak[m].weight.detach().numpy().T) for m in fusion.speak])

    def test_one_gate_mixes_two(self, x, vectors):
        del x["audio"]
        fusion = GatedFusion(first(2), dim=7)
        text, image = self.spoken(fusion, x)
        gate = sigmoid(np.concatenate(list(x.values()), axis=1) @ fusion.gate.weight.detach().numpy().T)
        found = outcome(fusion, vectors(x))
        np.testing.assert_allclose(found, gate * text + (1 - gate) * image, atol=1e-6)
        assert (found >= np.minimum(text, image) - 1e-6).all()
        assert (found <= np.maximum(text, image) + 1e-6).all()

    def test_a_gate_of_zeros_gives_the_mean(self, x, vectors):
        del x["audio"]
        fusion = GatedFusion(first(2), dim=7)
        torch.nn.init.zeros_(fusion.gate.weight)
        np.testing.assert_allclose(outcome(fusion, vectors(x)), self.spoken(fusion, x).mean(axis=0), atol=1e-6)

    def test_of_two_the_one_present_is_heard_whole(self, x, vectors):
        del x["audio"]
        fusion = GatedFusion(first(2), dim=7)
        text, image = self.spoken(fusion, x)
        found = outcome(fusion, vectors(x, [[True, False], [False, True], [False, False], [True, False]]))
        np.testing.assert_allclose(found, [text[0], image[1], np.zeros(7), text[3]], atol=1e-6)

    def test_three_have_a_gate_each(self, x, vectors):
        present = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]], bool)
        fusion = GatedFusion(first(3), dim=7)
        joined = np.concatenate([x[m] * present[:, [i]] for i, m in enumerate(x)], axis=1)  # (B, 6 + 5 + 4)
        weight = fusion.gate.weight.detach().numpy().reshape(3, 7, 15)
        gates = sigmoid(np.einsum("bj,mdj->mbd", joined, weight)) * present.T[:, :, None]
        expected = np.einsum("mbd,mbd->bd", gates, self.spoken(fusion, x))
        np.testing.assert_allclose(outcome(fusion, vectors(x, present)), expected, atol=1e-6)

    @pytest.mark.parametrize("number", [2, 3])
    def test_renaming_modalities_along_with_their_parameters_changes_nothing(self, x, vectors, number):
        dims = first(number)
        fusion, other = GatedFusion(dims, dim=7), GatedFusion(dict(reversed(dims.items())), dim=7)
        for m in dims:
            other.speak[m] = copy.deepcopy(fusion.speak[m])
        blocks = list(reversed(fusion.gate.weight.detach().split(list(dims.values()), dim=1)))  # each (gates D, d_m)
        turned = torch.cat(blocks, dim=1)  # (gates D, sum of d_m)
        other.gate.weight.data = -turned if number == 2 else turned.unflatten(0, (number, 7)).flip(0).flatten(0, 1)
        x = {m: x[m] for m in dims}
        np.testing.assert_allclose(outcome(other, vectors(x)), outcome(fusion, vectors(x)), atol=1e-6)
