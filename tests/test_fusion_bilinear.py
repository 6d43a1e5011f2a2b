"""What the equations of sums and products of modalities say, worked out in numpy from the papers."""

import numpy as np
import pytest
import torch

from mmfuse.fusion.lmf import LmfFusion
from mmfuse.fusion.sum import SumFusion
from mmfuse.fusion.tfn import TfnFusion
from mmfuse.types import Signal

DIMS = {"text": 4, "image": 3, "audio": 2}  # not in the alphabet's order
PAIR = {"text": 4, "image": 3}
SOME = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0], [0, 1, 1]], bool)  # which of five rows has what


@pytest.fixture
def x(random):
    return {m: random.normal(size=(5, d)) for m, d in DIMS.items()}


def fused(fusion, x, present=None):
    """(B, dim) of float64, also of rows without anything."""
    signals = {}
    for column, (modality, array) in enumerate(x.items()):
        there = np.ones(len(array), bool) if present is None else present[:, column]
        signals[modality] = Signal.vector(torch.tensor(array), torch.tensor(there))
    return fusion.double().eval()(signals).data[:, 0].detach().numpy()


def matrix(layer):
    return layer.weight.detach().double().numpy()


def affine(layer, x):
    return x @ matrix(layer).T + layer.bias.detach().double().numpy()


def without_biases(fusion):
    for name, parameter in fusion.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.zeros_(parameter)
    return fusion


def put(parameter, array):
    parameter.data = torch.tensor(np.ascontiguousarray(array))


def with_one(x):
    return np.concatenate([x, np.ones((len(x), 1))], axis=1)


def relu(x):
    return np.maximum(x, 0)


class TestSum:
    def test_of_linear_maps_is_one_linear_map_of_the_concatenation(self, x):
        fusion = SumFusion(DIMS, dim=6)
        stacked = np.concatenate([matrix(layer) for layer in fusion.space.maps.values()], axis=1)  # (6, 4 + 3 + 2)
        bias = sum(layer.bias.detach().numpy() for layer in fusion.space.maps.values())
        expected = np.concatenate(list(x.values()), axis=1) @ stacked.T + bias
        np.testing.assert_allclose(fused(fusion, x), expected, atol=1e-6)

    def test_leaves_the_absent_out(self):
        x = {"a": np.array([[1.0, 2.0]] * 3), "b": np.array([[3.0, 6.0]] * 3), "c": np.array([[8.0, 1.0]] * 3)}
        present = np.array([[1, 1, 1], [1, 0, 1], [0, 0, 0]], bool)
        found = fused(SumFusion({"a": 2, "b": 2, "c": 2}), x, present)
        np.testing.assert_allclose(found, [[12.0, 9.0], [9.0, 3.0], [0.0, 0.0]], atol=1e-6)


class TestTfn:
    def test_is_a_layer_over_the_tensor(self, x):
        fusion = TfnFusion(DIMS, dim=6)
        y = {m: with_one(x[m] * SOME[:, [i]]) for i, m in enumerate(x)}
        tensor = np.einsum("bi,bj,bk->bijk", *y.values()).reshape(5, 5 * 4 * 3)
        np.testing.assert_allclose(fused(fusion, x, SOME), relu(affine(fusion.mix[1], tensor)), atol=1e-6)

    def test_the_tensor_of_one_is_itself_and_1(self):
        signal = Signal.vector(torch.tensor([[2.0, 3.0]]), torch.tensor([True]))
        assert TfnFusion({"a": 2}).tensor({"a": signal}).tolist() == [[2.0, 3.0, 1.0]]

    def test_the_tensor_holds_each_product_once(self):
        """(2, 3, 1) x (5, 1): of both, of each alone, and 1."""
        a = Signal.vector(torch.tensor([[2.0, 3.0]]), torch.tensor([True]))
        b = Signal.vector(torch.tensor([[5.0]]), torch.tensor([True]))
        assert TfnFusion({"a": 2, "b": 1}).tensor({"a": a, "b": b}).tolist() == [[10.0, 2.0, 15.0, 3.0, 5.0, 1.0]]

    def test_narrows_what_is_wide_and_absent_is_zeros_after_that(self, x):
        fusion = TfnFusion(DIMS, dim=6, inner=2)
        narrow = [affine(fusion.narrow["text"], x["text"]), affine(fusion.narrow["image"], x["image"]), x["audio"]]
        y = [with_one(each * SOME[:, [i]]) for i, each in enumerate(narrow)]
        tensor = np.einsum("bi,bj,bk->bijk", *y).reshape(5, 27)
        np.testing.assert_allclose(fused(fusion, x, SOME), relu(affine(fusion.mix[1], tensor)), atol=1e-6)

    def test_refuses_a_tensor_too_large(self):
        dims = {"text": 128, "image": 128, "audio": 128}
        with pytest.raises(ValueError, match="2146689 elements, more than max_elements=1000000"):
            TfnFusion(dims, inner=None)
        assert TfnFusion(dims, dim=2).mix[1].in_features == 33**3

    def test_learns_what_is_narrowed(self, x):
        fusion = TfnFusion(DIMS, dim=6, inner=2)
        signals = {m: Signal.vector(torch.tensor(v).float(), torch.ones(5, dtype=torch.bool)) for m, v in x.items()}
        fusion(signals).pooled().sum().backward()
        assert all(p.grad.any() for p in fusion.parameters())


def dense(fusion, dims):
    """(D, d_1 + 1, ..., d_M + 1): what the factors of a low-rank fusion multiply to, the 1 last."""
    factors = []
    for m, d in dims.items():
        factor = np.concatenate([matrix(fusion.factors[m]), fusion.factors[m].bias.detach().numpy()[:, None]], axis=1)
        factors.append(factor.reshape(fusion.rank, fusion.dim, d + 1))
    axes = "ijkl"[: len(dims)]
    terms = ",".join(f"ro{a}" for a in axes)
    return np.einsum(f"r,{terms}->o{axes}", fusion.weights.detach().numpy(), *factors)


class TestLmf:
    @pytest.fixture
    def fusion(self, random):
        fusion = LmfFusion(DIMS, dim=6, rank=3)
        put(fusion.weights, random.normal(size=3))
        put(fusion.bias, random.normal(size=6))
        return fusion.double()

    def test_is_a_layer_over_the_tensor_of_tensor_fusion(self, fusion, x):
        y = [with_one(x[m] * SOME[:, [i]]) for i, m in enumerate(x)]
        tensor = np.einsum("bi,bj,bk->bijk", *y)
        expected = np.einsum("oijk,bijk->bo", dense(fusion, DIMS), tensor) + fusion.bias.detach().numpy()
        np.testing.assert_allclose(fused(fusion, x, SOME), expected, atol=1e-6)

    def test_is_tensor_fusion_with_the_low_rank_weight(self, fusion, x):
        other = TfnFusion(DIMS, dim=6).double()
        put(other.mix[1].weight, dense(fusion, DIMS).reshape(6, -1))
        put(other.mix[1].bias, fusion.bias.detach().numpy())
        np.testing.assert_allclose(fused(other, x, SOME), relu(fused(fusion, x, SOME)), atol=1e-6)

    def test_of_full_rank_is_any_bilinear_map(self, x, random):
        """Each output's matrix (5, 4) is the sum of its four singular pairs."""
        weight = random.normal(size=(6, 5, 4))
        left, values, right = np.linalg.svd(weight, full_matrices=False)  # (6, 5, 4), (6, 4), (6, 4, 4)
        fusion = LmfFusion(PAIR, dim=6, rank=4).double()
        factors = {"text": (left * values[:, None]).transpose(2, 0, 1), "image": right.transpose(1, 0, 2)}  # (R, D, d)
        for m, factor in factors.items():
            put(fusion.factors[m].weight, factor[..., :-1].reshape(24, -1))
            put(fusion.factors[m].bias, factor[..., -1].reshape(24))
        expected = np.einsum("bi,oij,bj->bo", with_one(x["text"]), weight, with_one(x["image"]))
        np.testing.assert_allclose(fused(fusion, {m: x[m] for m in PAIR}), expected, atol=1e-6)

    def test_a_term_starts_near_1_in_size(self, random):
        """The standard deviation of [z; 1] F over factors is 1 where the features' mean square is."""
        x = {"a": np.ones((1, 63)), "b": np.ones((1, 8))}
        fusion = LmfFusion({"a": 63, "b": 8}, dim=500, rank=8)
        for m in x:
            assert affine(fusion.factors[m], x[m]).std() == pytest.approx(1.0, abs=0.05)
