"""What the equations say of fusions that gate, modulate, adapt or choose between experts."""

import numpy as np
import pytest
import torch

from mmfuse.fusion.concat import ConcatFusion
from mmfuse.fusion.deep import DeepFusion
from mmfuse.fusion.film import FilmFusion
from mmfuse.fusion.gated import GatedFusion
from mmfuse.fusion.mag import MagFusion
from mmfuse.fusion.misa import MisaFusion, discrepancy, overlap
from mmfuse.fusion.moe import MoeFusion
from mmfuse.fusion.sigmoid_gate import SigmoidGateFusion
from mmfuse.types import Signal

DIMS = {"text": 6, "image": 5, "audio": 4}
PRESENT = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 1], [1, 0, 0]], bool)


@pytest.fixture
def x(random):
    return {m: random.normal(size=(len(PRESENT), d)) for m, d in DIMS.items()}


def heard(x, present=PRESENT):
    """The same in float64, absent ones as NaN, for fusions of doubles."""
    return {
        m: Signal.vector(torch.tensor(np.where(present[:, [i]], v, np.nan)), torch.tensor(present[:, i]))
        for i, (m, v) in enumerate(x.items())
    }


def zeroed(x, present=PRESENT):
    return {m: v * present[:, [i]] for i, (m, v) in enumerate(x.items())}


def linear(layer, x):
    found = x @ layer.weight.detach().numpy().T
    return found if layer.bias is None else found + layer.bias.detach().numpy()


def outcome(fusion, signals):
    return fusion(signals).pooled().detach().numpy()


def close(found, expected, atol=1e-9):
    np.testing.assert_allclose(found, expected, atol=atol, rtol=1e-9)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def normalized(x):
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)


class TestFilm:
    def test_is_its_equation(self, x):
        fusion = FilmFusion(DIMS, dim=7, conditioner="text").double()
        c, *rest = zeroed(x).values()
        parameters = linear(fusion.condition, c) * PRESENT[:, [0]]
        gamma, beta = 1 + parameters[:, :9], parameters[:, 9:]
        close(outcome(fusion, heard(x)), linear(fusion.out, gamma * np.concatenate(rest, axis=1) + beta))

    def test_several_conditioners_stand_side_by_side(self, x):
        fusion = FilmFusion(DIMS, dim=7, conditioner=["audio", "text"]).double()
        own = zeroed(x)
        c = np.concatenate([own["text"], own["audio"]], axis=1)
        parameters = linear(fusion.condition, c) * (PRESENT[:, [0]] | PRESENT[:, [2]])
        expected = linear(fusion.out, (1 + parameters[:, :5]) * own["image"] + parameters[:, 5:])
        close(outcome(fusion, heard(x)), expected)

    def test_without_weights_modulates_nothing(self, x):
        fusion = FilmFusion(DIMS, dim=11).double()
        torch.nn.init.zeros_(fusion.condition.weight)
        torch.nn.init.zeros_(fusion.condition.bias)
        fusion.out.load_state_dict({"weight": torch.eye(11), "bias": torch.zeros(11)})
        own = zeroed(x)
        close(outcome(fusion, heard(x)), np.concatenate([own["text"], own["image"]], axis=1))

    def test_an_absent_conditioner_modulates_nothing(self, x):
        fusion = FilmFusion(DIMS, dim=7).double()
        alone = PRESENT & [True, True, False]
        own = zeroed(x)
        found = outcome(fusion, heard(x, alone))
        expected = linear(fusion.out, np.concatenate([own["text"], own["image"]], axis=1))
        close(found, expected * alone.any(axis=1, keepdims=True))

    def test_is_not_symmetric(self, x):
        two = {"text": 5, "image": 5}
        fusion = FilmFusion(two, dim=7).double()
        a, b = x["image"], x["text"][:, :5]
        there = np.ones((6, 2), bool)
        one = outcome(fusion, heard({"text": a, "image": b}, there))
        other = outcome(fusion, heard({"text": b, "image": a}, there))
        assert np.abs(one - other).max() > 0.01

    @pytest.mark.parametrize("conditioner", ["depth", ["text", "depth"], ["text", "image", "audio"]], ids=str)
    def test_refuses_conditioners_that_cannot_be(self, conditioner):
        with pytest.raises(ValueError, match="some, but not all, of"):
            FilmFusion(DIMS, conditioner=conditioner)


class TestSigmoidGate:
    @pytest.mark.parametrize("gate", DIMS)
    def test_is_its_equation(self, x, gate):
        fusion = SigmoidGateFusion(DIMS, dim=7, gate=gate).double()
        own, g = zeroed(x), list(DIMS).index(gate)
        factor = np.where(PRESENT[:, [g]], sigmoid(linear(fusion.gate, own[gate])), 1.0)
        others = [m for m in DIMS if m != gate]
        spoken = sum(linear(fusion.speak[m], own[m]) for m in others)
        there = np.delete(PRESENT, g, axis=1).any(axis=1, keepdims=True)
        close(outcome(fusion, heard(x)), (factor * np.where(there, spoken, 1.0)) @ fusion.out.weight.detach().numpy().T)

    def test_a_gate_that_knows_nothing_lets_half_through(self, x):
        fusion = SigmoidGateFusion(DIMS, dim=7, gate="audio").double()
        torch.nn.init.zeros_(fusion.gate.weight)
        there = np.ones((6, 3), bool)
        gated = outcome(fusion, heard(x, there))
        close(2 * gated, outcome(fusion, heard(x, there & [True, True, False])))

    def test_refuses_a_gate_that_is_no_modality(self):
        with pytest.raises(ValueError, match="gate=depth: one of"):
            SigmoidGateFusion(DIMS, gate="depth")


class TestGatedByProjections:
    def test_one_gate_of_two_reads_projections_before_tanh(self, x):
        two = {m: DIMS[m] for m in ("text", "image")}
        fusion = GatedFusion(two, dim=7, gate_input="projected").double()
        own, there = {m: x[m] for m in two}, np.ones((6, 2), bool)
        text, image = (linear(fusion.speak[m], own[m]) for m in two)
        gate = sigmoid(linear(fusion.gate, np.concatenate([text, image], axis=1)))
        close(outcome(fusion, heard(own, there)), gate * np.tanh(text) + (1 - gate) * np.tanh(image))
        assert sum(p.numel() for p in fusion.parameters()) == (6 + 5) * 7 + 2 * 7 * 7

    def test_each_of_three_reads_all_projections(self, x):
        fusion = GatedFusion(DIMS, dim=7, gate_input="projected").double()
        own = zeroed(x)
        said = np.stack([linear(fusion.speak[m], own[m]) for m in DIMS], axis=1)  # (B, M, D)
        weight = fusion.gate.weight.detach().numpy().reshape(3, 7, 21)
        gates = sigmoid(np.einsum("bj,mdj->bmd", said.reshape(6, 21), weight)) * PRESENT[:, :, None]
        close(outcome(fusion, heard(x)), (gates * np.tanh(said)).sum(axis=1))
        assert sum(p.numel() for p in fusion.parameters()) == 15 * 7 + 3 * 3 * 7 * 7


class TestMag:
    @staticmethod
    def nudged(fusion, own, present, beta):
        """(B, D) t and the nudge that the paper's equations give, `own` with zeros where absent."""
        t = own["text"]
        push = 0
        for m in ("image", "audio"):
            gate = np.maximum(linear(fusion.gates[m], np.concatenate([own[m], t], axis=1)), 0)
            push = push + gate * linear(fusion.maps[m], own[m])
        push = (push + fusion.bias.detach().numpy()) * present[:, 1:].any(axis=1, keepdims=True)
        lengths = np.linalg.norm(t, axis=1), np.linalg.norm(push, axis=1) + 1e-6
        return t, np.minimum(beta * lengths[0] / lengths[1], 1.0)[:, None] * push

    @pytest.mark.parametrize("beta", [0.1, 1.0])
    def test_is_its_equation(self, x, beta):
        fusion = MagFusion(DIMS, anchor="text", beta=beta).double().eval()
        torch.nn.init.normal_(fusion.bias)
        t, nudge = self.nudged(fusion, zeroed(x), PRESENT, beta)
        close(outcome(fusion, heard(x)), normalized(t + nudge))

    @pytest.mark.parametrize("beta", [0.01, 1.0])
    def test_never_moves_the_anchor_further_than_it_may(self, random, beta):
        fusion = MagFusion(DIMS, beta=beta).double()
        x = {
            m: torch.tensor(random.normal(size=(200, 3, d)) * random.exponential(size=(200, 3, 1)))
            for m, d in DIMS.items()
        }
        known = {m: Signal(v, torch.ones(200, 3, dtype=torch.bool)) for m, v in x.items()}
        moved, own = fusion.nudge(x["text"], known).norm(dim=-1), x["text"].norm(dim=-1)
        assert (moved <= beta * own * (1 + 1e-9)).all()
        assert (moved > 0.99 * beta * own).any()

    def test_alone_the_anchor_is_only_normalized(self, x):
        fusion = MagFusion(DIMS).double().eval()
        torch.nn.init.normal_(fusion.bias)
        alone = PRESENT & [True, False, False]
        found = outcome(fusion, heard(x, alone))
        close(found, normalized(x["text"]) * alone[:, [0]])

    def test_adapts_step_by_step(self, random):
        """As if each step were a row."""
        fusion = MagFusion(DIMS, aligned=True).double().eval()
        mask = {m: torch.tensor(random.random((4, 5)) < 0.7) for m in DIMS}
        x = {m: torch.tensor(random.normal(size=(4, 5, d))) for m, d in DIMS.items()}
        found = fusion({m: Signal(x[m], mask[m]) for m in DIMS})
        rows = {m: Signal(x[m].reshape(20, 1, -1), mask[m].reshape(20, 1)) for m in DIMS}
        close(found.data.detach().numpy().reshape(20, -1), outcome(fusion, rows))
        assert torch.equal(found.mask, torch.stack(list(mask.values())).any(dim=0))

    def test_refuses_sequences_that_are_not_aligned(self, sequences):
        fusion = MagFusion(DIMS, aligned=True)
        with pytest.raises(ValueError, match="as many steps of each modality"):
            fusion(sequences(DIMS, {"text": [3, 2], "image": [2, 2], "audio": [3, 2]}))

    def test_one_that_a_whole_batch_lacks_is_not_misaligned(self, sequences):
        fused = MagFusion(DIMS, aligned=True)(sequences(DIMS, {"text": [3, 2], "image": [0, 0], "audio": [3, 2]}))
        assert fused.mask.tolist() == [[True, True, True], [True, True, False]]

    def test_refuses_an_anchor_that_is_no_modality(self):
        with pytest.raises(ValueError, match="anchor=depth: one of"):
            MagFusion(DIMS, anchor="depth")


class TestDeep:
    @pytest.mark.parametrize("layers", [1, 2, 3])
    def test_is_its_equation(self, x, layers):
        fusion = DeepFusion(DIMS, dim=7, layers=layers).double().eval()
        expected = np.concatenate(list(zeroed(x).values()), axis=1)
        for layer in fusion.joint:
            expected = np.maximum(linear(layer[0], expected), 0)
        close(outcome(fusion, heard(x)), expected)
        assert sum(p.numel() for p in fusion.parameters()) == 16 * 7 + (layers - 1) * 8 * 7

    def test_of_one_layer_is_concat(self, x):
        deep, concat = DeepFusion(DIMS, dim=7, layers=1).double().eval(), ConcatFusion(DIMS, dim=7).double().eval()
        concat.mix.load_state_dict(deep.joint[0].state_dict())
        close(outcome(deep, heard(x)), outcome(concat, heard(x)))


class TestMoe:
    @staticmethod
    def network(expert, x):
        return linear(expert[3], np.maximum(linear(expert[0], x), 0))

    @staticmethod
    def shares(scores, chosen):
        weights = np.exp(scores) * chosen
        return weights / weights.sum(axis=1, keepdims=True)

    @pytest.mark.parametrize("joint", [True, False])
    def test_is_its_equation(self, x, joint):
        fusion = MoeFusion(DIMS, dim=7, hidden=9, joint=joint).double().eval()
        own = zeroed(x)
        whole = np.concatenate(list(own.values()), axis=1)
        said = [self.network(fusion.own[m], own[m]) for m in DIMS]
        ready = PRESENT
        if joint:
            said, ready = [*said, self.network(fusion.joint, whole)], np.c_[PRESENT, np.ones(6, bool)]
        shares = self.shares(linear(fusion.router, whole), ready)
        found = fusion.fuse(heard(x))
        close(found.signal.pooled().detach().numpy(), np.einsum("be,ebd->bd", shares, np.stack(said)))
        assert found.losses == {}
        if joint:
            assert found.weights is None
        else:
            close(found.weights.detach().numpy(), shares)

    @pytest.mark.parametrize("top_k", [2, 3, 4])
    def test_exactly_so_many_experts_count(self, random, top_k):
        dims = {**DIMS, "depth": 3}
        x = {m: random.normal(size=(50, d)) for m, d in dims.items()}
        fusion = MoeFusion(dims, dim=7, joint=False, top_k=top_k).double().eval()
        found = fusion.fuse(heard(x, np.ones((50, 4), bool)))
        scores = linear(fusion.router, np.concatenate(list(x.values()), axis=1))
        best = scores >= np.sort(scores, axis=1)[:, [-top_k]]
        assert ((found.weights > 0).sum(dim=1) == top_k).all()
        close(found.weights.detach().numpy(), self.shares(scores, best))
        even = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        expected = 0.01 * 4 * (best.sum(axis=0) / best.sum() * even.mean(axis=0)).sum()
        close(found.losses["balance"].item(), expected)

    def test_where_fewer_are_present_these_count(self, x):
        fusion = MoeFusion(DIMS, dim=7, joint=False, top_k=2).double().eval()
        weights = fusion.fuse(heard(x)).weights
        assert ((weights > 0).sum(dim=1).numpy() == np.minimum(PRESENT.sum(axis=1), 2)).all()
        close(weights.sum(dim=1).detach().numpy(), np.ones(6))

    @pytest.mark.parametrize("joint", [True, False])
    @pytest.mark.parametrize("balance", [0.01, 0.5])
    def test_an_even_router_has_the_least_loss(self, x, joint, balance):
        fusion = MoeFusion(DIMS, joint=joint, top_k=2, balance=balance).double().eval()
        torch.nn.init.zeros_(fusion.router.weight)
        torch.nn.init.zeros_(fusion.router.bias)
        loss = fusion.fuse(heard(x, np.ones((6, 3), bool))).losses["balance"]
        close(loss.item(), balance)
        fusion.router.bias.data[0] = 5.0
        assert fusion.fuse(heard(x, np.ones((6, 3), bool))).losses["balance"].item() > 1.3 * balance

    def test_one_expert_alone_is_its_network(self, x):
        fusion = MoeFusion(DIMS, dim=7, joint=False).double().eval()
        alone = np.tile([[False, True, False]], (6, 1))
        close(outcome(fusion, heard(x, alone)), self.network(fusion.own["image"], x["image"]))

    @pytest.mark.parametrize(
        ("keys", "said"),
        [
            ({"dims": {"text": 6}, "joint": False}, "two modalities or more, or joint=true"),
            ({"dims": DIMS, "top_k": 1}, "top_k=1: from 2"),
            ({"dims": DIMS, "top_k": 5}, "top_k=5: from 2, or the router would not learn, up to 4"),
        ],
    )
    def test_refuses_what_leaves_nothing_to_choose(self, keys, said):
        with pytest.raises(ValueError, match=said):
            MoeFusion(**keys)


class TestMisa:
    @pytest.fixture
    def shared(self, random):
        """(B, M, D) within 0 and 1, unlike each other."""
        return random.beta(2, [[1], [2], [5]], size=(6, 3, 8))

    @staticmethod
    def parts(fusion, x):
        own = {m: normalized(linear(fusion.project[m][0], v)) for m, v in zeroed(x).items()}
        common = np.stack([sigmoid(linear(fusion.common[0], u)) for u in own.values()], axis=1)
        private = np.stack([sigmoid(linear(fusion.private[m][0], u)) for m, u in own.items()], axis=1)
        return np.stack(list(own.values()), axis=1), common, private

    @staticmethod
    def cmd(x, y):
        found = np.linalg.norm(x.mean(axis=0) - y.mean(axis=0))
        for k in range(2, 6):
            moments = [((z - z.mean(axis=0)) ** k).mean(axis=0) for z in (x, y)]
            found += np.linalg.norm(moments[0] - moments[1])
        return found

    @staticmethod
    def lines(x, present):
        """(B, D), centred over the rows present, each of length 1, zeros elsewhere."""
        rest = x - x[present].mean(axis=0)
        return rest / (np.linalg.norm(rest, axis=1, keepdims=True) + 1e-6) * present[:, None]

    def test_is_its_equation(self, x):
        fusion = MisaFusion(DIMS, dim=8).double().eval()
        _, common, private = self.parts(fusion, x)
        vectors, there = np.concatenate([common, private], axis=1), np.tile(PRESENT, 2)  # (B, 6, D), (B, 6)
        queries, keys, values = (vectors @ w.T for w in np.split(fusion.ask.weight.detach().numpy(), 3))
        heads = []
        for h in (slice(0, 4), slice(4, 8)):
            scores = np.exp(np.einsum("bvd,bwd->bvw", queries[..., h], keys[..., h]) / 2) * there[:, None]
            heads.append(np.einsum("bvw,bwd->bvd", scores / scores.sum(axis=2, keepdims=True), values[..., h]))
        attended = np.concatenate(heads, axis=2) @ fusion.answer.weight.detach().numpy().T
        attended = normalized(vectors + attended) * there[..., None]
        close(outcome(fusion, heard(x)), np.maximum(linear(fusion.join[1], attended.reshape(6, -1)), 0))

    def test_losses_are_their_equations_over_the_rows_present(self, x):
        fusion = MisaFusion(DIMS, dim=8).double().eval()
        u, c, p = self.parts(fusion, x)
        there = PRESENT.T
        two = [(0, 1), (0, 2), (1, 2)]
        similarity = np.mean([self.cmd(c[there[i], i], c[there[j], j]) for i, j in two])
        shared, alone = ([self.lines(z[:, i], there[i]) for i in range(3)] for z in (c, p))
        sets = [*zip(shared, alone, strict=True), *[(alone[i], alone[j]) for i, j in two]]
        difference = np.mean([((a.T @ b) ** 2).mean() for a, b in sets])
        reconstruction = ((linear(fusion.decode, c + p) - u) ** 2).mean(axis=2)[PRESENT].mean()
        found = {name: loss.item() for name, loss in fusion.fuse(heard(x)).losses.items()}
        assert list(found) == ["similarity", "difference", "reconstruction"]
        close(list(found.values()), [similarity, 0.3 * difference, reconstruction])

    def test_discrepancy_of_three_and_missing_rows(self, shared):
        found = discrepancy(torch.tensor(shared), torch.tensor(PRESENT)).item()
        own = [shared[PRESENT[:, i], i] for i in range(3)]
        close(found, np.mean([self.cmd(own[0], own[1]), self.cmd(own[0], own[2]), self.cmd(own[1], own[2])]))

    def test_the_same_distribution_is_no_discrepancy_and_has_a_gradient(self, shared):
        """Rows in another order are the same distribution. The published code has NaN here."""
        same = torch.tensor(np.stack([shared[:, 0], shared[:, 0]], axis=1)).requires_grad_()
        loss = discrepancy(same, torch.ones(6, 2, dtype=torch.bool))
        loss.backward()
        assert loss.item() == 0
        assert same.grad.isfinite().all()
        turned = torch.tensor(np.stack([shared[:, 0], shared[::-1, 0]], axis=1))
        assert discrepancy(turned, torch.ones(6, 2, dtype=torch.bool)).item() < 1e-12

    def test_orthogonal_representations_do_not_overlap(self):
        """Columns of a Hadamard matrix: their means are 0, and each is orthogonal to all others."""
        two = np.array([[1, 1], [1, -1]])
        h = np.kron(np.kron(two, two), two).astype(float)[:, 1:]  # (8, 7)
        common, private = torch.tensor(h[:, None, :3]), torch.tensor(h[:, None, 3:6])
        there = torch.ones(8, 1, dtype=torch.bool)
        assert overlap(common, private, there).item() < 1e-12
        # x'x of three columns of length sqrt(8), rows of length sqrt(3): 8/3 on the diagonal, 3 of 9 entries
        close(overlap(common, common, there).item(), (8 / 3) ** 2 / 3, atol=1e-4)

    def test_one_row_has_no_distribution(self, x):
        fusion = MisaFusion(DIMS, dim=8).double()
        one = fusion.fuse({m: Signal(s.data[:1], s.mask[:1]) for m, s in heard(x).items()})
        assert one.losses["similarity"].item() == one.losses["difference"].item() == 0
        assert one.losses["reconstruction"].item() > 0
        sum(one.losses.values()).backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in fusion.parameters())

    def test_rows_without_anything_have_no_losses(self, x):
        nothing = MisaFusion(DIMS, dim=8).double().fuse(heard(x, np.zeros((6, 3), bool)))
        assert not any(loss.item() for loss in nothing.losses.values())

    def test_refuses_heads_that_cannot_share(self):
        with pytest.raises(ValueError, match="heads=3 share it"):
            MisaFusion(DIMS, dim=8, heads=3)
