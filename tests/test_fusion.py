"""What every fusion owes the rest of the code, and what each method's equations say.

A fusion is under test as soon as it has a config; its number of parameters has to be stated in fusion_facts.py.
"""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from fusion_facts import COUNTS, DECIDES, TAKES

from mmfuse.fusion.concat import ConcatFusion
from mmfuse.fusion.gated import GatedFusion
from mmfuse.fusion.mean import MeanFusion
from mmfuse.fusion.weighted import WeightedFusion
from mmfuse.selftest.contract import CHECKS
from mmfuse.selftest.specimens import takes
from mmfuse.types import Signal

CONFIGS = sorted((Path(__file__).parents[1] / "configs/fusion").glob("*.yaml"))
SIZES = {"text": 6, "image": 5, "audio": 4, "depth": 3}  # not in the alphabet's order


def first(number):
    return dict(list(SIZES.items())[:number])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def config(request):
    return request.param


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


@pytest.mark.parametrize("check", CHECKS)
def test_keeps_its_contract(config, build, check):
    CHECKS[check](lambda dims: build(config, dims=dims))


def test_refuses_the_numbers_of_modalities_that_it_does_not_take(config, build):
    taken = TAKES.get(config.stem, (1, 2, 3, 4))
    assert takes(lambda dims: build(config, dims=dims)) == list(taken)


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
            sequences(first(3), {key: [2, 1] for key in first(3)}),
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
