"""What the equations of sums and products of modalities say, worked out in numpy from the papers."""

import numpy as np
import pytest
import torch

from mmfuse.fusion.block import BlockFusion
from mmfuse.fusion.interaction import InteractionFusion
from mmfuse.fusion.lmf import LmfFusion
from mmfuse.fusion.mcb import McbFusion
from mmfuse.fusion.mfb import MfbFusion
from mmfuse.fusion.mfh import MfhFusion
from mmfuse.fusion.mlb import MlbFusion
from mmfuse.fusion.mutan import MutanFusion
from mmfuse.fusion.power_norm import power_norm
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


def or_1(factor, present):
    """(B, D) with ones where the modality is absent."""
    return np.where(present[:, None], factor, 1.0)


def rooted(z):
    """Signed roots, then length 1."""
    roots = np.sign(z) * np.sqrt(np.abs(z))
    return roots / np.linalg.norm(roots, axis=-1, keepdims=True)


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
        np.testing.assert_allclose(fused(fusion, x, SOME), affine(fusion.mix[1], tensor), atol=1e-6)

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
        np.testing.assert_allclose(fused(fusion, x, SOME), affine(fusion.mix[1], tensor), atol=1e-6)

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
        np.testing.assert_allclose(fused(other, x, SOME), fused(fusion, x, SOME), atol=1e-6)

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


class TestPowerNorm:
    def test_is_signed_roots_of_length_1(self):
        found = power_norm(torch.tensor([[4.0, -9.0, 0.0]]))
        np.testing.assert_allclose(found, np.array([[2.0, -3.0, 0.0]]) / np.sqrt(13), atol=1e-6)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
    def test_is_finite_of_zeros_forward_and_back(self, dtype):
        z = torch.zeros(2, 3, dtype=dtype, requires_grad=True)
        power_norm(z).sum().backward()
        assert power_norm(z).isfinite().all()
        assert z.grad.float().isfinite().all()


class TestMlb:
    @pytest.mark.parametrize("activation", ["tanh", "relu", "none"])
    def test_by_its_equation(self, x, activation):
        fusion = MlbFusion(DIMS, dim=6, inner=7, activation=activation)
        function = {"tanh": np.tanh, "relu": relu, "none": lambda z: z}[activation]
        factors = [or_1(function(affine(fusion.factors.maps[m][0], x[m])), SOME[:, i]) for i, m in enumerate(x)]
        expected = affine(fusion.read, factors[0] * factors[1] * factors[2])
        np.testing.assert_allclose(fused(fusion, x, SOME), expected, atol=1e-6)
        fusion.after = MlbFusion(DIMS, after=activation).after
        np.testing.assert_allclose(fused(fusion, x, SOME), function(expected), atol=1e-6)

    def test_is_linear_in_each_modality_without_activation_and_biases(self, x, random):
        fusion = without_biases(MlbFusion(DIMS, dim=6, inner=7, activation="none"))
        other = random.normal(size=(5, 3))
        expected = 2.5 * fused(fusion, x) + fused(fusion, x | {"image": other})
        np.testing.assert_allclose(fused(fusion, x | {"image": 2.5 * x["image"] + other}), expected, atol=1e-6)


class TestMutan:
    def test_by_its_equation(self, x):
        fusion = MutanFusion(DIMS, dim=6, inner=7, rank=3)
        factors = []
        for i, m in enumerate(x):
            into, _, core = fusion.factors.maps[m]
            factors.append(or_1(affine(core, np.tanh(affine(into, x[m]))), SOME[:, i]).reshape(5, 3, 7))
        summed = np.einsum("bri,bri,bri->bi", *factors)
        np.testing.assert_allclose(fused(fusion, x, SOME), affine(fusion.read, summed), atol=1e-6)

    def test_is_a_tucker_decomposition_between_projections(self, x):
        """Without biases: core tensor (7, 7, 6) of rank 3 a slice, between tanh(U x) and tanh(V y)."""
        fusion = without_biases(MutanFusion(PAIR, dim=6, inner=7, rank=3))
        (u, _, left), (v, _, right) = (fusion.factors.maps[m] for m in PAIR)
        core = np.einsum(
            "rki,rkj,ok->ijo", matrix(left).reshape(3, 7, 7), matrix(right).reshape(3, 7, 7), matrix(fusion.read)
        )
        projected = [np.tanh(x[m] @ matrix(into).T) for m, into in {"text": u, "image": v}.items()]
        expected = np.einsum("bi,ijo,bj->bo", projected[0], core, projected[1])
        np.testing.assert_allclose(fused(fusion, {m: x[m] for m in PAIR}), expected, atol=1e-6)


class TestMfb:
    def test_by_its_equation(self, x):
        fusion = MfbFusion(DIMS, dim=6, factors=4)
        factors = [or_1(affine(fusion.factors.maps[m], x[m]), SOME[:, i]) for i, m in enumerate(x)]
        product = factors[0] * factors[1] * factors[2]  # (B, 24)
        pooled = np.stack([product[:, 4 * o : 4 * o + 4].sum(axis=1) for o in range(6)], axis=1)
        np.testing.assert_allclose(fused(fusion, x, SOME), rooted(pooled), atol=1e-6)

    def test_pools_consecutive_groups(self):
        """Maps that are the identity: 1 2 + 3 4 and 5 6 + 7 8 of two vectors."""
        fusion = without_biases(MfbFusion({"a": 4, "b": 4}, dim=2, factors=2))
        for layer in fusion.factors.maps.values():
            torch.nn.init.eye_(layer.weight)
        found = fused(fusion, {"a": np.array([[1.0, 3.0, 5.0, 7.0]]), "b": np.array([[2.0, 4.0, 6.0, 8.0]])})
        np.testing.assert_allclose(found, np.sqrt([[14 / 100, 86 / 100]]), atol=1e-6)

    def test_drops_out_in_training_only(self, x):
        fusion = MfbFusion(DIMS, dropout=0.5)
        signals = {m: Signal.vector(torch.tensor(v).float(), torch.ones(5, dtype=torch.bool)) for m, v in x.items()}
        assert not torch.equal(fusion(signals).data, fusion(signals).data)
        fusion.eval()
        assert torch.equal(fusion(signals).data, fusion(signals).data)


class TestMfh:
    def test_by_its_equation(self, x):
        fusion = MfhFusion(DIMS, dim=9, order=3, factors=4)
        factors = [or_1(affine(fusion.factors.maps[m], x[m]), SOME[:, i]) for i, m in enumerate(x)]
        first, second, third = np.split(factors[0] * factors[1] * factors[2], 3, axis=1)  # each (B, 12)
        expanded = [first, first * second, first * second * third]
        blocks = [rooted(e.reshape(5, 3, 4).sum(axis=2)) for e in expanded]
        np.testing.assert_allclose(fused(fusion, x, SOME), np.concatenate(blocks, axis=1), atol=1e-6)

    def test_of_order_1_is_mfb(self, x):
        fusion, mfb = MfhFusion(DIMS, dim=6, order=1, factors=4), MfbFusion(DIMS, dim=6, factors=4)
        mfb.load_state_dict(fusion.state_dict())
        np.testing.assert_allclose(fused(fusion, x, SOME), fused(mfb, x, SOME), atol=1e-12)

    def test_refuses_blocks_that_do_not_share_its_width(self):
        with pytest.raises(ValueError, match="dim=10: order=3 blocks share it"):
            MfhFusion(DIMS, dim=10, order=3)


class TestInteraction:
    def test_of_two_by_its_equation(self, x):
        fusion = InteractionFusion(PAIR, dim=6)
        u, v, w = np.split(matrix(fusion.mix), [4, 7], axis=1)  # (6, 4), (6, 3), (6, 4 * 3)
        a, b = (x[m] * SOME[:, [i]] for i, m in enumerate(PAIR))
        expected = np.einsum("bi,oij,bj->bo", a, w.reshape(6, 4, 3), b) + a @ u.T + b @ v.T
        expected += fusion.mix.bias.detach().numpy()
        np.testing.assert_allclose(fused(fusion, {m: x[m] for m in PAIR}, SOME), expected, atol=1e-6)

    def test_of_two_is_tensor_fusion_with_a_linear_layer(self, x, random):
        """W[i, j] weighs z_1i z_2j, W[i, last] z_1i, W[last, j] z_2j and W[last, last] the 1."""
        fusion, tfn = InteractionFusion(PAIR, dim=6).double(), TfnFusion(PAIR, dim=6).double()
        weight = random.normal(size=(6, 5, 4))
        put(tfn.mix[1].weight, weight.reshape(6, 20))
        torch.nn.init.zeros_(tfn.mix[1].bias)
        terms = [weight[:, :-1, -1], weight[:, -1, :-1], weight[:, :-1, :-1].reshape(6, 12)]
        put(fusion.mix.weight, np.concatenate(terms, axis=1))
        put(fusion.mix.bias, weight[:, -1, -1])
        pair = {m: x[m] for m in PAIR}
        np.testing.assert_allclose(fused(tfn, pair, SOME), fused(fusion, pair, SOME), atol=1e-6)

    def test_of_three_multiplies_every_two(self, x):
        fusion = InteractionFusion(DIMS, dim=6)
        a, b, c = (x[m] * SOME[:, [i]] for i, m in enumerate(x))
        pairs = [np.einsum("bi,bj->bij", *pair).reshape(5, -1) for pair in [(a, b), (a, c), (b, c)]]
        expected = affine(fusion.mix, np.concatenate([a, b, c, *pairs], axis=1))
        np.testing.assert_allclose(fused(fusion, x, SOME), expected, atol=1e-6)

    def test_refuses_too_many_products(self):
        with pytest.raises(ValueError, match="1002000 features and products, more than max_elements=1000000"):
            InteractionFusion({"text": 1000, "image": 1000})


class TestMcb:
    @staticmethod
    def outer_sketch(fusion, a, b):
        """The count sketch of the outer product, entry by entry."""
        places = fusion.places.numpy() % fusion.sketch
        signs = fusion.signs.numpy()
        found = np.zeros(fusion.sketch)
        for i, left in enumerate(a):
            for j, right in enumerate(b, start=len(a)):
                found[(places[i] + places[j]) % fusion.sketch] += signs[i] * signs[j] * left * right
        return found

    @pytest.mark.parametrize("sketch", [1, 7, 16, 33])
    def test_is_the_sketch_of_the_outer_product(self, x, sketch):
        fusion = McbFusion(PAIR, dim=6, sketch=sketch)
        sketches = np.stack([self.outer_sketch(fusion, a, b) for a, b in zip(x["text"], x["image"], strict=True)])
        expected = affine(fusion.read, rooted(sketches))
        np.testing.assert_allclose(fused(fusion, {m: x[m] for m in PAIR}), expected, atol=1e-6)

    def test_an_absent_modality_leaves_the_sketch_of_the_others(self, x):
        fusion = McbFusion(DIMS, dim=6, sketch=9).double()
        pair = McbFusion(PAIR, dim=6, sketch=9).double()
        pair.places, pair.signs, pair.read = fusion.places[:7], fusion.signs[:7], fusion.read
        without = SOME & np.array([True, True, False])
        np.testing.assert_allclose(fused(fusion, x, without), fused(pair, {m: x[m] for m in PAIR}, SOME), atol=1e-12)
        identity = affine(fusion.read, np.eye(9)[0])
        np.testing.assert_allclose(fused(fusion, x, SOME)[3], identity, atol=1e-6)

    def test_products_of_sketches_are_products_of_products_on_average(self, random):
        """E <sketch(a, b), sketch(c, d)> = <a, c> <b, d>, over places and signs."""
        a, c = random.normal(size=(2, 4))
        b, d = random.normal(size=(2, 3))
        pooled = torch.tensor(np.stack([np.concatenate([a, b]), np.concatenate([c, d])]))
        found = []
        for _ in range(3000):
            fusion = McbFusion(PAIR, dim=1, sketch=16)
            left, right = fusion.sketched(pooled, torch.ones(2, 2, dtype=torch.bool)).numpy()
            found.append(left @ right)
        assert np.mean(found) == pytest.approx((a @ c) * (b @ d), abs=4 * np.std(found) / np.sqrt(3000))
        assert np.std(found) > 0.1  # one draw of places and signs does not tell

    def test_saves_its_places_and_signs(self):
        fusion = McbFusion(PAIR)
        assert {"places", "signs"} <= set(fusion.state_dict())
        assert (fusion.signs.abs() == 1).all()
        assert not torch.equal(fusion.places, McbFusion(PAIR).places)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_takes_half_precision(self, x, dtype):
        fusion = McbFusion(DIMS).to(dtype)
        signals = {m: Signal.vector(torch.tensor(v, dtype=dtype), torch.tensor([True] * 5)) for m, v in x.items()}
        assert fusion(signals).data.dtype == dtype
        assert fusion(signals).data.isfinite().all()

    def test_a_modality_of_zeros_gets_no_gradient_without_bound(self, x):
        """A root of 0 has none, and a row of length 0 no direction."""
        signals = {m: Signal.vector(torch.tensor(v).float(), torch.tensor([True] * 5)) for m, v in x.items()}
        zeros = torch.zeros(5, 1, 3, requires_grad=True)
        McbFusion(DIMS)(signals | {"image": Signal(zeros, signals["image"].mask)}).pooled().sum().backward()
        assert zeros.grad.abs().max() < 1e6


class TestBlock:
    def test_by_its_equation(self, x):
        fusion = BlockFusion(DIMS, dim=6, inner=8, chunks=2, rank=3)
        pieces = []
        for chunk in range(2):
            factors = []
            for i, m in enumerate(x):
                into, core = fusion.factors.maps[m]
                piece = affine(into, x[m])[:, 4 * chunk : 4 * chunk + 4]
                factor = piece @ core.weight[chunk].detach().numpy() + core.bias[chunk].detach().numpy()
                factors.append(or_1(factor, SOME[:, i]).reshape(5, 3, 4))
            pieces.append(rooted(np.einsum("bri,bri,bri->bi", *factors)))
        expected = affine(fusion.read, np.concatenate(pieces, axis=1))
        np.testing.assert_allclose(fused(fusion, x, SOME), expected, atol=1e-6)

    def test_a_chunk_hears_only_itself(self, x):
        """What is read off one chunk does not change with the other's projection."""
        fusion = BlockFusion(DIMS, dim=4, inner=8, chunks=2, rank=3)
        put(fusion.read.weight, np.eye(4, 8))
        before = fused(fusion, x)
        fusion.factors.maps["text"][0].weight.data[4:] += 1.0
        np.testing.assert_allclose(fused(fusion, x), before, atol=1e-12)
        fusion.factors.maps["text"][0].weight.data[:4] += 1.0
        assert not np.allclose(fused(fusion, x), before, atol=1e-3)

    def test_refuses_chunks_that_do_not_share_its_width(self):
        with pytest.raises(ValueError, match="inner=10: it is cut into chunks=3 pieces"):
            BlockFusion(DIMS, inner=10, chunks=3)


@pytest.mark.parametrize("make", [MfbFusion, MfhFusion])
def test_what_has_length_1_passes_gradients_on_to_all(make, x):
    """A fixed reading of the output: its own length has none to give."""
    fusion = make(DIMS, dim=6).double().eval()
    data = {m: torch.tensor(v, requires_grad=True) for m, v in x.items()}
    signals = {m: Signal.vector(v, torch.tensor(SOME[:, i])) for i, (m, v) in enumerate(data.items())}
    (fusion(signals).pooled() @ torch.linspace(-1, 1, 6, dtype=torch.float64)).sum().backward()
    for p in [*fusion.parameters()]:
        assert p.grad.abs().max() > 1e-3
    for i, v in enumerate(data.values()):
        assert (v.grad[SOME[:, i]].abs().max(dim=1).values > 1e-3).all()
        assert not v.grad[~SOME[:, i]].any()
